//! ISO 9660 images: a writer, complete, deterministic and streaming.

mod boot;
mod contents;
mod descriptor;
mod directory;
mod error;
mod fields;
mod image;
mod joliet;
mod layout;
mod names;
mod options;
mod pathtable;
mod primary;
pub mod read;
mod rockridge;
mod scan;
mod sector;
mod source;
mod tree;
mod view;
mod write;

pub use boot::{BootEntry, Hybrid, Platform};
pub use directory::EXTENT_MAX;
pub use error::{Error, ImagePath};
pub use image::{Image, Summary};
pub use options::{IsoNames, Joliet, Options};
pub use sector::{SECTOR, Sector};
pub use source::Source;
pub use tree::{DeviceKind, Meta, NAME_MAX, TARGET_MAX};
pub use view::DIRECTORIES_MAX;
