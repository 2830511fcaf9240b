//! What verbs that build share.

pub mod base;
pub mod cdrom;
pub mod coredns;
pub mod disk;
pub mod host_files;
pub mod overlay_params;
pub mod overlays;
pub mod work;
