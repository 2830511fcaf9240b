//! From packages and layers to images. Knows nothing of overlays, clusters, networks and VMs: those
//! bring layers, or get the paths of finished images.

pub mod base;
pub mod cdrom;
pub mod debian;
pub mod disk;
pub mod elf;
pub mod extend;
pub mod index;
