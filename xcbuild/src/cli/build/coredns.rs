//! The stand-in for CoreDNS, where overlays look for a CoreDNS.
//!
//! Overlays copy `coredns` from `$GOPATH/bin` or `$XCLUSTER_WORKSPACE/bin` into nodes, and don't build
//! where there is none. So whatever builds the base image puts our nodes' DNS server there, which
//! understands Corefiles. A CoreDNS of the user's comes first and is never touched; a file is ours if
//! it is a program that has [`xc_dns::STAND_IN`] in it, whatever its version.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::settings::Settings;
use crate::ui;
use xc_sys::files;

/// Where it is below the Go workspace and ours.
const PLACE: &str = "bin/coredns";
/// Bytes of a stand-in, at most: a CoreDNS has some fifty million.
const MAX_SIZE: u64 = 8 << 20;

/// The user's own CoreDNS, which the contract has preferred: of the Go workspace, or of ours.
pub(crate) fn of_user(settings: &Settings) -> Option<PathBuf> {
    let found = places(settings).find(|path| path.is_file() && !is_stand_in(path))?;
    std::path::absolute(found).ok()
}

/// Puts `program` into the workspace unless the user has a CoreDNS; an older stand-in is replaced.
/// Nothing that is built needs it, so what fails is a warning.
pub(crate) fn place_stand_in(settings: &Settings, program: &[u8]) {
    if of_user(settings).is_some() {
        return;
    }
    let path = settings.places.workspace.join(PLACE);
    // Links are the user's, dangling ones as well.
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => return,
        Ok(_) if fs::read(&path).is_ok_and(|there| there == program) => return,
        Ok(_) | Err(_) => {}
    }
    match files::write_program(&path, program) {
        Ok(()) => {
            ui::status("Placed", format_args!("a stand-in for CoreDNS, `{}`", path.display()))
        }
        Err(error) => ui::warn(format_args!(
            "no stand-in for CoreDNS, which some overlays copy into nodes: {error}"
        )),
    }
}

fn places(settings: &Settings) -> impl Iterator<Item = PathBuf> {
    let go = settings.host().ok().and_then(|host| host.go_path);
    let places = go.into_iter().chain([settings.places.workspace.clone()]);
    places.map(|place| place.join(PLACE))
}

fn is_stand_in(path: &Path) -> bool {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let small = bytes.len() as u64 <= MAX_SIZE && bytes.starts_with(b"\x7fELF");
    small && memchr::memmem::find(&bytes, xc_dns::STAND_IN.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::is_stand_in;

    #[test]
    fn a_stand_in_is_a_program_with_its_mark() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("coredns");
        let mark = xc_dns::STAND_IN.as_bytes();
        let large = [b"\x7fELF", mark, &vec![0; 9 << 20]].concat();
        for (bytes, expected) in [
            ([b"\x7fELF 0.0.1 ", mark, b"\0more"].concat(), true),
            ([b"#! /bin/sh\n# ", mark].concat(), false),
            (b"\x7fELF a CoreDNS".to_vec(), false),
            (large, false),
            (Vec::new(), false),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(is_stand_in(&path), expected, "{} bytes", bytes.len());
        }
        assert!(!is_stand_in(&dir.path().join("none")));
    }
}
