//! libarchive, by what `bsdtar` extracts into a directory.

use std::path::Path;
use std::process::Command;

use crate::model::{Fact, Facts};
use crate::{host, tool};

/// Everything in an image.
pub(crate) fn look(image: &Path) -> Facts {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new("bsdtar");
    command.args(["-xpf"]).arg(image).arg("-C").arg(folder.path());
    if !host::root() {
        command.args(["--exclude", "disk", "--exclude", "null"]);
    }
    tool::output(&mut command);
    host::look(folder.path())
}

/// It makes a file of a socket; devices are for root alone to make.
pub(crate) fn blur(fact: &mut Fact) -> bool {
    host::blur(fact);
    if fact.kind == 's' {
        fact.kind = '-';
    }
    host::root() || !matches!(fact.kind, 'b' | 'c')
}
