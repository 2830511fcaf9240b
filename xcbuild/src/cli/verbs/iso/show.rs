//! How entries of an image are shown.

use xc_iso::DeviceKind;
use xc_iso::read::{Entry, Kind};

/// The type and the permissions, as `ls` has them.
pub(super) fn mode(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::Directory => 'd',
        Kind::File => '-',
        Kind::Symlink(_) => 'l',
        Kind::Device(DeviceKind::Block, ..) => 'b',
        Kind::Device(DeviceKind::Character, ..) => 'c',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    };
    let mode = entry.meta.mode;
    let bits = (0..9).map(|bit| match (mode & 0o400 >> bit != 0, "rwx".as_bytes()[bit % 3]) {
        (false, _) => '-',
        (true, letter) => letter.into(),
    });
    let mut text: Vec<char> = std::iter::once(kind).chain(bits).collect();
    for (bit, place, letter) in [(0o4000, 3, 's'), (0o2000, 6, 's'), (0o1000, 9, 't')] {
        if mode & bit != 0 {
            text[place] = if text[place] == 'x' { letter } else { letter.to_ascii_uppercase() };
        }
    }
    text.into_iter().collect()
}

/// The size, or the numbers of a device.
pub(super) fn size(entry: &Entry) -> String {
    match entry.kind {
        Kind::Device(_, major, minor) => format!("{major}, {minor}"),
        _ => entry.size().to_string(),
    }
}
