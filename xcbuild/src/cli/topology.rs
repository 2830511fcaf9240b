//! What verbs need of topologies: the one that the settings name, read from its overlay.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::settings::Settings;
use xc_overlay::embedded::Embedded;
use xc_overlay::topology;
use xc_store::store::StoreLayout;
use xc_sys::files;
use xc_topology::Topology;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, ipv4, ipv6};
use xc_topology::render;

/// The DNS zone of a cluster's own names, `vm-001.xcluster`.
pub const ZONE: &str = "xcluster";
/// The name of the host in that zone.
pub const HOST: &str = "host";

/// The overlay that has the topologies.
const OVERLAY: &str = "network-topology";
/// Where in it.
const DIRECTORY: &str = "topologies";
/// The topology that a cluster is of unless another is named.
const DEFAULT: &str = "xnet";

/// The topology that `TOPOLOGY` names.
///
/// # Errors
/// When there is no such file, or it says what can't be.
pub fn load(settings: &Settings) -> Result<Topology> {
    let directory = super::overlays::directory(settings, OVERLAY)?.join(DIRECTORY);
    let (name, variables) = (&settings.build.topology, &settings.variables);
    if directory.is_dir() || name.contains('/') {
        return topology::load(&directory, name, variables);
    }
    // An overlay of that name in the shell tool's form, as in its users' collections: `TOPOLOGY` is a
    // matter of its script, and nodes and networks are what is set (`Envsettings`), or the usual.
    let ours = Embedded::Overlays
        .directory(&StoreLayout::new(&settings.places.store))?
        .join(OVERLAY)
        .join(DIRECTORY);
    let is_ours = ours.join(format!("{name}.toml")).is_file();
    let mut topology = topology::load(&ours, if is_ours { name } else { DEFAULT }, variables)?;
    if !is_ours {
        topology.name.clone_from(name);
        "As the script of network-topology has it".clone_into(&mut topology.description);
    }
    Ok(topology)
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
