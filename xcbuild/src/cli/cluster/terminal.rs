//! Windows for nodes: in tmux where we are in it, else on the X display by xterm.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};

use crate::settings::{HostSettings, Settings};
use xc_cluster::ClusterName;
use xc_sys::exec::{Exec, find_program, own_program};
use xc_topology::address::NodeId;

/// What opens windows here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// The tmux session that we are in.
    Tmux,
    /// An xterm on `DISPLAY`.
    Xterm,
}

impl Terminal {
    /// What can open windows; `None` where nothing can.
    pub(crate) fn of(host: &HostSettings) -> Option<Self> {
        let there = |variable: &Option<String>, program: &str| {
            variable.is_some() && find_program(program, host.path.as_ref()).is_some()
        };
        if there(&host.tmux, "tmux") {
            Some(Self::Tmux)
        } else if there(&host.display, "xterm") {
            Some(Self::Xterm)
        } else {
            None
        }
    }

    /// Opens a window in which a command runs, and leaves it there. `front` brings it before the
    /// user, where windows have an order.
    ///
    /// # Errors
    /// When the program that opens it can't be run.
    pub(crate) fn open(self, title: &str, command: &[String], front: bool) -> Result<()> {
        match self {
            Self::Tmux => {
                let behind: &[&str] = if front { &[] } else { &["-d"] };
                let tmux = Exec::new("tmux").arg("new-window").args(behind).args(["-n", title]);
                tmux.arg("--").args(command).output()?;
            }
            Self::Xterm => {
                let null = File::options().write(true).open(Path::new("/dev/null"));
                let null = null.context("can't open /dev/null")?;
                let errors = null.try_clone().context("can't open /dev/null")?;
                let xterm = Exec::new("xterm").args(["-T", title, "-n", title, "-e"]);
                xterm.args(command).detached(null, errors)?;
            }
        }
        Ok(())
    }
}

/// Opens a window that shows a node's console.
///
/// # Errors
/// When it can't be opened.
pub(crate) fn window(
    terminal: Terminal,
    settings: &Settings,
    cluster: &ClusterName,
    node: NodeId,
) -> Result<()> {
    let command = on_node("console", settings, cluster, node)?;
    terminal.open(&node.to_string(), &command, false)
}

/// The words of a command of ours on a node, for wherever it may run: the environment of a window is
/// that of tmux, or of the session, which may know nothing of ours.
///
/// # Errors
/// When it is not known where xcbuild itself is.
pub(crate) fn on_node(
    verb: &str,
    settings: &Settings,
    cluster: &ClusterName,
    node: NodeId,
) -> Result<Vec<String>> {
    let program = own_program().context("can't tell where xcbuild itself is")?;
    let run = std::path::absolute(&settings.places.run)?;
    Ok(vec![
        "env".into(),
        format!("XCBUILD_RUN={}", run.display()),
        program.display().to_string(),
        verb.into(),
        format!("--cluster={cluster}"),
        node.number().to_string(),
    ])
}

#[cfg(test)]
mod tests {
    use super::Terminal;
    use crate::settings::tests::host;

    #[test]
    fn windows_need_a_place_and_a_program() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let of = |pairs: &[(&str, &str)]| Terminal::of(&host(&[&[("PATH", path)], pairs].concat()));
        assert_eq!(of(&[("TMUX", "x"), ("DISPLAY", ":0")]), None, "without the programs");
        for program in ["tmux", "xterm"] {
            let file = dir.path().join(program);
            std::fs::write(&file, "").unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(file, mode).unwrap();
        }
        assert_eq!(of(&[]), None, "without a place");
        assert_eq!(of(&[("DISPLAY", ":0")]), Some(Terminal::Xterm));
        assert_eq!(of(&[("TMUX", "x"), ("DISPLAY", ":0")]), Some(Terminal::Tmux));
    }
}
