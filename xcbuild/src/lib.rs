//! xcbuild: overlays and a base image into cached ISOs, clusters of VMs from them.
//!
//! ARCHITECTURE.md is the map; each crate and module starts with what it is for and what it is not.

pub mod cli;
pub mod settings;
pub mod testing;
pub mod timeline;
pub mod top;
pub mod ui;
