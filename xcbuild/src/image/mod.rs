//! From overlays and packages to images: keys, the store, and what is built into it. Knows nothing
//! of clusters, networks and VMs: they get the paths of finished images.

pub mod base;
pub mod cdrom;
pub mod collect;
pub mod debian;
pub mod disk;
pub mod extend;
pub mod key;
pub mod listing;
pub mod publish;
pub mod store;
