//! Path tables (ECMA-119 §6.9, §9.4): all directories of a view, one after another, with the
//! number of the one above. There are two of each, one for each byte order.

use crate::view::{Directory, View};

/// Which byte order a path table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Type L.
    Little,
    /// Type M.
    Big,
}

/// The size of a view's path table in bytes.
pub(crate) fn size(view: &View<'_>) -> u32 {
    let record = |directory: &Directory<'_>| 8 + directory.identifier.len().next_multiple_of(2);
    view.directories.iter().map(record).sum::<usize>() as u32
}

/// The bytes of a path table. Directory number 1 is the root, which is its own parent.
pub(crate) fn bytes(view: &View<'_>, order: Order) -> Vec<u8> {
    let mut out = Vec::with_capacity(size(view) as usize);
    for directory in &view.directories {
        let start = directory.place.start.0;
        let parent = directory.parent as u16 + 1;
        out.extend_from_slice(&[directory.identifier.len() as u8, 0]);
        match order {
            Order::Little => {
                out.extend_from_slice(&start.to_le_bytes());
                out.extend_from_slice(&parent.to_le_bytes());
            }
            Order::Big => {
                out.extend_from_slice(&start.to_be_bytes());
                out.extend_from_slice(&parent.to_be_bytes());
            }
        }
        out.extend_from_slice(&directory.identifier);
        if !directory.identifier.len().is_multiple_of(2) {
            out.push(0);
        }
    }
    out
}
