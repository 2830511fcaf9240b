//! A program in a terminal of its own, as somebody sits before it: `script` makes one.

use std::io::Write;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::{PATIENCE, Workspace, read_until, read_within};

/// A program in a terminal.
pub(crate) struct Viewer {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl Viewer {
    /// Starts `xcbuild` with arguments, in plain words.
    pub(crate) fn start(workspace: &Workspace, arguments: &str) -> Self {
        Self::program(workspace, &format!("{} {arguments}", env!("CARGO_BIN_EXE_xcbuild")))
    }

    /// Starts any program, a line for the shell, with the environment of `xcbuild`.
    pub(crate) fn program(workspace: &Workspace, line: &str) -> Self {
        let line = format!("stty cols 110 rows 30; exec {line}");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env_clear().envs(workspace.environment());
        script.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().unwrap();
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, keys, screen, seen: String::new() }
    }

    /// Waits until a text has been on the screen.
    pub(crate) fn until(&mut self, text: &str) {
        if !self.seen.contains(text) {
            self.seen += &read_until(&mut self.screen, text);
        }
    }

    /// All that has been on the screen so far.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// Types.
    pub(crate) fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the program ends.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        // What it still has to say must not keep it.
        loop {
            match read_within(&mut self.screen, until) {
                Some(more) if more.is_empty() => break,
                Some(more) => self.seen += &String::from_utf8_lossy(&more),
                None => panic!("it has not ended in {PATIENCE:?}: {}", self.seen),
            }
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; for one that waited this is nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
