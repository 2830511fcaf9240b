//! Programs of the host that a cluster needs, looked for before long work begins.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Result, bail};

use crate::settings::Settings;
use xc_sys::exec::find_program;

/// Where administrators' programs are, which a user's `PATH` often lacks.
const SYSTEM: &str = "/usr/sbin:/sbin";

/// A program, the Debian package that has it, and what it is for.
struct Need<'a> {
    program: &'a str,
    package: &'a str,
    why: &'a str,
}

/// Sees to it that the programs are there that `up` needs.
///
/// # Errors
/// Names all that are missing, with the command that installs them.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    let needs = [
        Need { program: &settings.cluster.qemu, package: "qemu-system-x86", why: "runs the nodes" },
        Need { program: "ssh", package: "openssh-client", why: "runs commands on the nodes" },
    ];
    let path = format!("{}:{SYSTEM}", settings.host()?.path);
    let missing: Vec<&Need<'_>> = needs.iter().filter(|n| !present(n.program, &path)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lines: String =
        missing.iter().map(|n| format!("\n    `{}` {}", n.program, n.why)).collect();
    let packages = missing.iter().map(|n| n.package).collect::<Vec<_>>().join(" ");
    bail!("programs are missing:{lines}\n  install them: sudo apt-get install {packages}")
}

fn present(program: &str, path: &str) -> bool {
    if program.contains('/') {
        Path::new(program).is_file()
    } else {
        find_program(program, OsStr::new(path)).is_some()
    }
}
