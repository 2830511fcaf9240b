//! Reading images, one's own and anybody's.
//!
//! [`Reader::open`] reads the descriptors and all directories of an image into a tree in memory;
//! [`Reader::content`] reads a file, [`extract`] writes the tree to a directory, [`verify`] looks
//! for what is wrong. Rock Ridge is used if there is any, else Joliet, else the plain names.
//!
//! # Hostile images
//! Every number in an image may be a lie. What is promised:
//!
//! * No panic, no arithmetic that wraps, no allocation by a length that the image merely claims.
//! * No loops: a directory is entered once, by its place. Directories may not overlap to the effect
//!   that more bytes are read of them than the image has, and neither may continuation areas. A
//!   directory whose path is longer than 64 KiB is not entered.
//! * What is wrong with an entry costs that entry, not the image: it is left out, and
//!   [`Reader::problems`] names it.
//! * Names that are empty, `.`, `..`, or hold a `/` or a NUL are refused, and extraction resolves
//!   no link on its way, so that nothing lands outside of the target.
//!
//! Memory is some 150 bytes for an entry, and an entry takes 34 bytes of the image at least.

mod content;
mod extract;
mod input;
mod problem;
mod record;
mod rockridge;
mod scan;
mod tree;
mod verify;
mod volume;

pub use content::Content;
pub use extract::{Extract, extract};
pub use input::Input;
pub use problem::{Problem, ReadError};
pub use tree::{Entry, Kind, Names, Piece, Reader};
pub use verify::{verify, verify_contents};
pub use volume::Volume;
