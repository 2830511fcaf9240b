//! xcbuild: overlays and a base image into cached ISOs, clusters of VMs from them.
//!
//! ARCHITECTURE.md is the map; each module starts with what it is for and what it is not.

pub mod capture;
pub mod cli;
pub mod cluster;
pub mod elf;
pub mod image;
pub mod near;
pub mod net;
pub mod overlay;
pub mod settings;
pub mod sys;
pub mod testing;
pub mod timeline;
pub mod top;
pub mod topology;
pub mod tree;
pub mod ui;
pub mod vm;
