//! What verbs need of topologies: the one that the settings name, read from its overlay.

use anyhow::Result;

use crate::settings::Settings;
use xc_overlay::embedded::Embedded;
use xc_overlay::{DEFAULT_TOPOLOGY, topology};
use xc_store::store::StoreLayout;
use xc_topology::Topology;

/// The overlay that has the topologies.
const OVERLAY: &str = "network-topology";
/// Where in it.
const DIRECTORY: &str = "topologies";

/// The topology that `TOPOLOGY` names.
///
/// # Errors
/// When there is no such file, or it says what can't be.
pub(crate) fn load(settings: &Settings) -> Result<Topology> {
    let directory = super::super::build::overlays::directory(settings, OVERLAY)?.join(DIRECTORY);
    let (name, variables) = (&settings.build.topology, settings.variables());
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
    let mut topology =
        topology::load(&ours, if is_ours { name } else { DEFAULT_TOPOLOGY }, variables)?;
    if !is_ours {
        topology.name.clone_from(name);
        "As the script of network-topology has it".clone_into(&mut topology.description);
    }
    Ok(topology)
}
