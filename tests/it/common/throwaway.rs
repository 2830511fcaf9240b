//! A host to throw away: namespaces of mounts, network and processes that play a machine.
//!
//! They are held by one shell that ends when its standard input does, so the kernel takes all away
//! whatever happens to the test, and the machine's own network never sees any of it. `/run` is the
//! throwaway's own, with its named namespaces and the program's records.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

/// The host; gone when dropped.
pub(crate) struct Throwaway {
    holder: Child,
    pid: u32,
}

impl Throwaway {
    /// A host with nothing but its loopback interface.
    ///
    /// # Errors
    /// Why this machine can't have one.
    pub(crate) fn open() -> Result<Self, String> {
        let script = "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && echo up && read -r _";
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let stdout = holder.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        if line != "up\n" {
            let output = holder.wait_with_output().map_err(|error| error.to_string())?;
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
        }
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let children = fs::read_to_string(children).map_err(|error| error.to_string())?;
        let pid = children.trim().parse().map_err(|_| "no child of unshare".to_string())?;
        Ok(Self { holder, pid })
    }

    /// A command that runs a program on this host.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--mount", "--net", "--pid", program]);
        command
    }

    /// Runs a shell script on this host.
    pub(crate) fn shell(&self, script: &str) -> Output {
        self.command("sh").args(["-c", script]).output().unwrap()
    }

    /// What a shell script printed, which has to succeed.
    pub(crate) fn said(&self, script: &str) -> String {
        let output = self.shell(script);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {}\n{stderr}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
