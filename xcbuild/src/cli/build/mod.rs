//! What verbs that build share.

pub(super) mod base;
pub(super) mod cdrom;
pub(super) mod coredns;
pub(super) mod disk;
pub(super) mod host_files;
pub(super) mod overlay_params;
pub(super) mod overlays;
pub(super) mod work;
