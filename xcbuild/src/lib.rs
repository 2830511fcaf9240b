//! xcbuild: overlays and a base image into cached ISOs, clusters of VMs from them.
//!
//! ARCHITECTURE.md is the map; each crate and module starts with what it is for and what it is not.

pub mod cli;
pub(crate) mod settings;
pub(crate) mod testing;
pub(crate) mod timeline;
pub(crate) mod top;
pub(crate) mod ui;
