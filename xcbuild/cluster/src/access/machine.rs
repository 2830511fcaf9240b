//! A machine that is no node: whatever ssh reaches.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::options;
use xc_sys::exec::Exec;

/// A machine that need not be a node: whatever ssh reaches.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `user@host`, or `ssh://user@host:port`.
    address: String,
    key: Option<PathBuf>,
    /// The words by which the user becomes root there.
    sudo: String,
}

impl Machine {
    /// The machine of an address.
    ///
    /// # Errors
    /// An address that ssh would take for an option; a key that can't be read.
    pub fn new(address: &str, key: Option<PathBuf>, sudo: &str) -> Result<Self> {
        if address.is_empty() || address.starts_with('-') {
            bail!("--addr={address}: user@host is expected");
        }
        if let Some(key) = &key {
            fs_err::File::open(key).context("can't read the key (--key=)")?;
        }
        Ok(Self { address: address.into(), key, sudo: sudo.into() })
    }

    /// Whether `/bin` is a link into `/usr` there.
    ///
    /// # Errors
    /// When the machine can't be reached.
    pub fn is_usr_merged(&self) -> Result<bool> {
        let said = self.ssh().arg("test -L /bin && echo merged || echo apart").output();
        let said = said.with_context(|| format!("can't enter `{}` by ssh", self.address))?;
        Ok(said.starts_with(b"merged"))
    }

    /// Unpacks a tar on `/`.
    ///
    /// # Errors
    /// When the machine does not take all of it.
    pub fn unpack(&self, tar: Vec<u8>) -> Result<()> {
        let command = format!("{} tar -C / -x -f -", self.sudo);
        let done = self.ssh().arg(command.trim_start()).stdin_bytes(tar).output();
        done.with_context(|| format!("`{}` does not unpack it", self.address))?;
        Ok(())
    }

    fn ssh(&self) -> Exec {
        let exec = Exec::new("ssh").args(options(self.key.as_deref()));
        exec.args(["-o", "BatchMode=yes"]).arg(&self.address)
    }
}
