//! xorriso, by what it extracts into a directory, hard links and all.

use std::path::Path;
use std::process::Command;

use crate::model::{Fact, Facts};
use crate::{host, tool};

/// Everything in an image.
pub(crate) fn look(image: &Path) -> Facts {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let target = folder.path().join("out");
    let mut command = Command::new("xorriso");
    let restore = if host::root() { "on:o_excl_off:device_files" } else { "on:o_excl_off" };
    command.args(["-abort_on", "SORRY", "-osirrox", restore, "-hardlinks", "on", "-indev"]);
    command.arg(image).args(["-extract", "/"]).arg(&target);
    tool::output(&mut command);
    host::look(&target)
}

/// It makes no sockets; devices are for root alone to make.
pub(crate) fn blur(fact: &mut Fact) -> bool {
    host::blur(fact);
    fact.kind != 's' && (host::root() || !matches!(fact.kind, 'b' | 'c'))
}
