//! Commands and files on nodes, by the host's ssh and scp.
//!
//! A node's host key is new with every boot, so ssh is told to check and keep nothing, and to read
//! none of the user's configuration; nobody but this host's users reaches the port, and where they
//! are not meant to get in, the node asks for the cluster's key (see `key`). ssh prints nothing of its
//! own but why it can't reach a node or has lost it: the command's output and exit code are the result.

mod command;
mod machine;
mod reach;

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::RunDir;
use super::liveness::LivenessMonitor;
pub use command::{CommandEnd, on_all};
pub use machine::Machine;
pub use reach::Reach;
use xc_sys::exec::{Bounded, Exec, Output};
use xc_topology::address::NodeId;

/// How long, in seconds, a node may take to accept a connection.
const CONNECT_LIMIT: u32 = 20;

/// By this exit code ssh says that it lost the node, or never reached it.
pub const SSH_LOST: u8 = 255;

/// How long after that a node has to die, so that it is to blame: its connections end a moment before
/// its qemu does.
pub const LAST_BREATH: Duration = Duration::from_secs(2);

/// How a node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node.
    pub node: NodeId,
    /// The address at which its ssh answers.
    pub address: Ipv4Addr,
    /// The port.
    pub port: u16,
    /// The words before a command that enters the namespace where the address is; none if that is
    /// ours.
    pub netns_prefix: Vec<String>,
    /// The file of the cluster's key, where nodes ask for it.
    pub key: Option<PathBuf>,
    /// The cluster that it is in.
    pub run: RunDir,
}

impl Target {
    /// A node of a cluster.
    ///
    /// # Errors
    /// When there is no such cluster or node, or the node can't answer.
    pub fn find(run: &RunDir, node: NodeId) -> Result<Self> {
        let Reach { answering, unreachable } = Reach::of(run)?;
        if let Some((_, reason)) = unreachable.iter().find(|(id, _)| *id == node) {
            bail!("{node} {reason}");
        }
        let names: Vec<_> = answering.iter().map(|t| t.node.number().to_string()).collect();
        answering.into_iter().find(|target| target.node == node).with_context(|| {
            format!("{node} does not run; those that run are {}", names.join(", "))
        })
    }

    /// All nodes of a cluster that can answer: those that run and are not paused.
    ///
    /// # Errors
    /// When there is no such cluster, or none of its nodes can.
    pub fn all(run: &RunDir) -> Result<Vec<Self>> {
        let Reach { answering, unreachable } = Reach::of(run)?;
        match unreachable.first() {
            Some((node, reason)) if answering.is_empty() => {
                bail!("no node can answer: {node} {reason}")
            }
            _ => Ok(answering),
        }
    }

    /// Starts a command and leaves it running, its output thrown away.
    ///
    /// # Errors
    /// When ssh can't be started.
    pub fn run_in_background(&self, command: &[String]) -> Result<()> {
        let null = File::options().write(true).open("/dev/null").context("can't open /dev/null")?;
        let errors = null.try_clone().context("can't open /dev/null")?;
        self.ssh(true).args(command).detached(null, errors)?;
        Ok(())
    }

    /// Runs a command and gives how it ended and what it wrote.
    ///
    /// # Errors
    /// [`crate::liveness::NodeDied`], or when ssh can't be started, or the user cancels.
    pub fn capture(&self, command: &[String]) -> Result<(ExitStatus, Output)> {
        let monitor = LivenessMonitor::over(&self.run, self.node)?;
        let ssh = self.ssh(true).args(command);
        match ssh.bounded(None, monitor.as_fd())? {
            Bounded::Ended(status, _) if lost(status) && monitor.ends_within(LAST_BREATH) => {
                bail!(monitor.why())
            }
            Bounded::Ended(status, output) => Ok((status, output)),
            Bounded::Stopped(_) => bail!(monitor.why()),
            Bounded::TimedOut(_) => bail!("{} does not answer", self.node),
        }
    }

    /// Runs a command until it ends, its time is up, or `breaks` polls readable.
    ///
    /// # Errors
    /// When ssh can't be started, or the user cancels.
    pub fn bounded(
        &self,
        command: &[String],
        deadline: Instant,
        breaks: BorrowedFd<'_>,
    ) -> Result<Bounded> {
        Ok(self.ssh(true).args(command).bounded(deadline, breaks)?)
    }

    /// Copies a file or directory from the node.
    ///
    /// # Errors
    /// [`crate::liveness::NodeDied`], or when scp can't be started.
    pub fn fetch(&self, remote: &str, local: &Path) -> Result<ExitStatus> {
        self.attached(self.scp().arg(self.remote(remote)).arg(plain(local)))
    }

    /// Copies a file or directory to the node.
    ///
    /// # Errors
    /// [`crate::liveness::NodeDied`], or when scp can't be started.
    pub fn send(&self, local: &Path, remote: &str) -> Result<ExitStatus> {
        self.attached(self.scp().arg(plain(local)).arg(self.remote(remote)))
    }

    /// Runs a program that talks to the node, with our own terminal.
    fn attached(&self, program: Exec) -> Result<ExitStatus> {
        let monitor = LivenessMonitor::over(&self.run, self.node)?;
        match program.status_until(monitor.as_fd())? {
            Some(status) if !(lost(status) && monitor.ends_within(LAST_BREATH)) => Ok(status),
            _ => bail!(monitor.why()),
        }
    }

    /// ssh up to the command; alone, it asks nothing and reads no input.
    fn ssh(&self, alone: bool) -> Exec {
        let exec = self.exec("ssh").args(["-p", &self.port.to_string()]);
        let exec = if alone { exec.args(["-n", "-o", "BatchMode=yes"]) } else { exec };
        exec.arg(format!("root@{}", self.address))
    }

    /// scp, without its progress.
    fn scp(&self) -> Exec {
        self.exec("scp").args(["-q", "-r", "-P", &self.port.to_string()])
    }

    fn remote(&self, path: &str) -> String {
        format!("root@{}:{path}", self.address)
    }

    /// A program that runs where the node can be reached.
    fn exec(&self, program: &str) -> Exec {
        let exec = match self.netns_prefix.split_first() {
            Some((enter, words)) => Exec::new(enter).args(words).arg(program),
            None => Exec::new(program),
        };
        exec.args(options(self.key.as_deref()))
    }
}

/// A path of ours as scp takes it: it would read `a:b` as a file on the machine `a`, and `-b` as an
/// option.
fn plain(local: &Path) -> PathBuf {
    if local.is_absolute() { local.to_owned() } else { Path::new(".").join(local) }
}

fn lost(status: ExitStatus) -> bool {
    status.code() == Some(SSH_LOST.into())
}

/// What ssh and scp are told alike.
fn options(key: Option<&Path>) -> Vec<String> {
    let values = [
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=no",
        "LogLevel=ERROR",
        &format!("ConnectTimeout={CONNECT_LIMIT}"),
    ];
    let values = values.iter().flat_map(|value| ["-o".to_owned(), (*value).to_owned()]);
    // Of all the keys that the user's agent may have, only this one is tried.
    let only = "IdentitiesOnly=yes".to_owned();
    let key = key.map(|key| ["-i".into(), key.display().to_string(), "-o".into(), only]);
    let key = key.into_iter().flatten();
    ["-F", "none"].map(str::to_owned).into_iter().chain(values).chain(key).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use xc_report::Reporter;

    use insta::assert_snapshot;

    use super::{RunDir, Target};
    use xc_topology::address::NodeId;

    #[test]
    fn ssh_checks_and_reads_nothing_of_the_users() {
        let (node, run) = (
            NodeId::new(201).unwrap(),
            RunDir::new("/r".as_ref(), &"c".parse().unwrap(), &Reporter::silent()).unwrap(),
        );
        let target = Target {
            node,
            address: Ipv4Addr::LOCALHOST,
            port: 12501,
            netns_prefix: Vec::new(),
            key: None,
            run: run.clone(),
        };
        assert_snapshot!(target.ssh(false).arg("ip route").line(), @"ssh -F none -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o ConnectTimeout=20 -p 12501 root@127.0.0.1 'ip route'");
        let netns_prefix = ["nsenter", "--net=/n", "--"].map(str::to_owned).into();
        let inside = Target {
            address: Ipv4Addr::new(192, 168, 0, 201),
            port: 22,
            netns_prefix,
            node,
            key: Some("/r/c/key".into()),
            run,
        };
        assert!(inside.ssh(false).line().starts_with("nsenter --net=/n -- ssh -F none"));
        let end = "-i /r/c/key -o IdentitiesOnly=yes -p 22 root@192.168.0.201";
        assert!(inside.ssh(false).line().ends_with(end), "{}", inside.ssh(false).line());
        assert_snapshot!(target.ssh(true).line(), @"ssh -F none -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o ConnectTimeout=20 -p 12501 -n -o BatchMode=yes root@127.0.0.1");
        assert_snapshot!(target.scp().arg(target.remote("/etc/hosts")).line(), @"scp -F none -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o ConnectTimeout=20 -q -r -P 12501 root@127.0.0.1:/etc/hosts");
    }

    #[test]
    fn local_names_are_neither_machines_nor_options() {
        let rows = [
            ("a:b", "./a:b"),
            ("-x", "./-x"),
            ("../a:b", "./../a:b"),
            (".", "./."),
            ("/tmp/a:b", "/tmp/a:b"),
            ("./a", "././a"),
        ];
        for (local, expected) in rows {
            assert_eq!(super::plain(local.as_ref()).as_os_str(), expected);
        }
    }
}
