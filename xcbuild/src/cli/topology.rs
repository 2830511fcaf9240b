//! What verbs need of topologies: the one that the settings name, read from its overlay.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::overlay::topology;
use crate::settings::Settings;
use crate::sys::files;
use crate::topology::Topology;
use crate::topology::address::{HOST_BYTE, MAINTENANCE, ipv4, ipv6};
use crate::topology::render;

/// The DNS zone of a cluster's own names, `vm-001.xcluster`.
pub const ZONE: &str = "xcluster";
/// The name of the host in that zone.
pub const HOST: &str = "host";

/// The topology that `TOPOLOGY` names.
///
/// # Errors
/// When there is no such file, or it says what can't be.
pub fn load(settings: &Settings) -> Result<Topology> {
    let overlay = super::overlays::directory(settings, "network-topology")?;
    let directory = overlay.join("topologies");
    topology::load(&directory, &settings.build.topology, &settings.variables)
}

/// Writes the names of the cluster's zone for the DNS proxy, and gives the file.
///
/// # Errors
/// When the directory can't be written.
pub fn write_hosts(settings: &Settings, topology: &Topology, directory: &Path) -> Result<PathBuf> {
    let prefix = &settings.cluster.prefix;
    let mut text = render::hosts(topology, prefix);
    text += &format!("{} {HOST}\n", ipv4(MAINTENANCE, HOST_BYTE));
    text += &format!("{} {HOST}\n", ipv6(prefix, MAINTENANCE, HOST_BYTE));
    let path = directory.join("hosts");
    files::write_atomic(&path, text.as_bytes()).context("can't write the names of the nodes")?;
    Ok(path)
}
