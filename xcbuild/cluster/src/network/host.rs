//! What is found on a host about kinds of network: for `doctor`.

use std::io::{self, ErrorKind};

use xc_sys::exec::find_program;
use xc_sys::tap;

/// Lets every user open the device that makes taps: what it gives is checked again by the kernel.
const OPEN_TUN: &str = "sudo chmod 0666 /dev/net/tun";

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub struct Host {
    /// Directories, with colons between.
    pub path: String,
}

/// A program that a kind of network runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What it does there.
    pub purpose: &'static str,
}

/// nft, which loads rules.
pub(super) const NFT: Program =
    Program { name: "nft", package: "nftables", purpose: "masquerades" };

/// What was found about a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it can be used.
    pub usable: bool,
    /// What is there, or why it can't be used.
    pub why: String,
    /// The command that enables it or makes it complete, where one does.
    pub remedy: Option<String>,
}

impl Finding {
    /// That it can be used.
    pub(super) fn good(why: impl Into<String>) -> Self {
        Self { usable: true, why: why.into(), remedy: None }
    }

    /// That it can't.
    pub(super) fn bad(why: impl Into<String>, remedy: &str) -> Self {
        let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
        Self { usable: false, why: why.into(), remedy }
    }
}

impl Host {
    /// Whether it has a program.
    pub(super) fn has(&self, program: &Program) -> bool {
        find_program(program.name, self.path.as_ref()).is_some()
    }

    /// What bridges and taps lack here, if anything.
    pub(super) fn lacks_for_bridges(&self) -> Option<Finding> {
        if let Err(error) = tap::open() {
            return Some(no_taps(&error));
        }
        let missing = || Finding::bad("nft is not installed", &install(&NFT));
        (!self.has(&NFT)).then(missing)
    }
}

/// The command that installs a program.
pub(super) fn install(program: &Program) -> String {
    format!("sudo apt-get install {}", program.package)
}

fn no_taps(error: &io::Error) -> Finding {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => OPEN_TUN,
        _ => "sudo modprobe tun",
    };
    Finding::bad(format!("{} can't be opened: {error}", tap::DEVICE), remedy)
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::no_taps;

    #[test]
    fn the_device_of_taps_is_opened_or_loaded() {
        let remedy = |kind: ErrorKind| no_taps(&Error::from(kind)).remedy.unwrap();
        assert_eq!(remedy(ErrorKind::PermissionDenied), "sudo chmod 0666 /dev/net/tun");
        assert_eq!(remedy(ErrorKind::NotFound), "sudo modprobe tun");
    }
}
