//! A capture that runs while a test does something, and what tshark reads in it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A running `xcbuild capture`.
pub(crate) struct Capture {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Capture {
    /// Starts it and returns when it captures.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.contains("Capturing"), "{line}");
        Self { child, stderr }
    }

    /// Ends it as Ctrl-C does, which is success.
    pub(crate) fn interrupt(self) -> String {
        self.signal("INT");
        self.ended()
    }

    /// Ends it as nothing should.
    pub(crate) fn kill(mut self) {
        self.signal("KILL");
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself, with success, and gives what it said.
    pub(crate) fn ended(mut self) -> String {
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }
}

/// What tshark reads of the packets that pass its filter: these fields, a line each.
pub(crate) fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-n", "-Y", filter, "-T", "fields", "-E", "separator= "]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
