//! A tmux server of a test's own, with one session to call the program from.

use xc_harness::Need;

use super::{Workspace, tool};

/// What it takes.
pub(crate) const TMUX: Need = Need::Program("tmux");

/// The server; ended when dropped.
pub(crate) struct Tmux {
    socket: String,
    place: String,
}

impl Tmux {
    /// A server in a workspace.
    pub(crate) fn start(workspace: &Workspace) -> Self {
        let socket = workspace.home().join("tmux").to_str().unwrap().to_owned();
        let mut tmux = Self { socket, place: String::new() };
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-s", "test", "sh"]);
        tmux.place = tmux.run(&["display", "-p", "#{socket_path},#{pid},0"]).trim().to_owned();
        tmux
    }

    /// Runs a command of tmux and gives what it said.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        tool::run("tmux", &[&["-S", &self.socket], arguments].concat())
    }

    /// Runs the program as from within the session; it has to succeed.
    pub(crate) fn xcbuild(&self, workspace: &Workspace, arguments: &[&str]) {
        workspace.xcbuild(arguments).env("TMUX", &self.place).assert().success();
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let end = ["-S", &self.socket, "kill-server"];
        let _ = assert_cmd::Command::new("tmux").args(end).output();
    }
}
