//! xcbuild: overlays and a base image into cached ISOs, clusters of VMs from them.
//!
//! ARCHITECTURE.md is the map; each module starts with what it is for and what it is not.

pub mod topology;
