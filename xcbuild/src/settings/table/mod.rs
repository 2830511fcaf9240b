//! The table of all settings, by group.
//!
//! | file | settings |
//! |---|---|
//! | [`host`] | of the user's session: programs, home, terminal |
//! | [`places`] | where things are on disk |
//! | [`cluster`] | what a cluster is |
//! | [`start`] | how it is started |
//! | [`build`] | what overlays are built with |
//! | [`verbs`] | of one verb, or of a few |
//! | [`scripts`] | that scripts read and nothing here does |

pub(crate) mod build;
pub(crate) mod cluster;
pub(crate) mod host;
pub(crate) mod places;
pub(crate) mod scripts;
pub(crate) mod start;
pub(crate) mod verbs;

use super::definition::{Definition, Group};

/// The verbs that start nodes.
const START: &[&str] = &["up", "start", "starts", "boot_vm", "xvm", "scaleout"];
/// The verbs that ask a cluster, or change it.
const CLUSTER: &[&str] = &[
    "vm",
    "check",
    "status",
    "top",
    "rsh",
    "rcp",
    "exec",
    "logs",
    "console",
    "scalein",
    "restart",
    "reset_vm",
    "stop_vm",
    "cont",
    "wait",
    "link",
    "capture",
    "tcpdump",
    "stop",
    "dns check",
    "topology show",
];
/// The verb that starts clusters for tests.
const TEST: &[&str] = &["test"];
/// The verbs that build.
const BUILD: &[&str] = &["up", "mkcdrom", "test", "cache"];

/// The names of a group's fields, and their definitions.
type Fields = (&'static [&'static str], &'static [Definition]);

const fn fields<G: Group>() -> Fields {
    (G::FIELDS, G::ALL)
}

/// All groups.
const GROUPS: &[Fields] = &[
    fields::<cluster::ClusterSettings>(),
    fields::<places::Places>(),
    fields::<start::StartSettings>(),
    fields::<build::BuildSettings>(),
    fields::<build::WorkSettings>(),
    fields::<verbs::CdromSettings>(),
    fields::<verbs::ImageSettings>(),
    fields::<verbs::CacheSettings>(),
    fields::<verbs::InstallSettings>(),
    fields::<verbs::InjectSettings>(),
    fields::<verbs::RshSettings>(),
    fields::<verbs::NamespaceSettings>(),
    (&[], scripts::ALL),
    fields::<host::HostSettings>(),
];

/// All settings.
pub(crate) fn all() -> impl Iterator<Item = &'static Definition> {
    GROUPS.iter().flat_map(|(_, definitions)| *definitions)
}

/// The setting of a variable.
pub(crate) fn find(variable: &str) -> Option<&'static Definition> {
    all().find(|definition| definition.variable == variable)
}

/// The fields of all groups, with their definitions.
#[cfg(test)]
pub(crate) fn all_fields() -> impl Iterator<Item = (&'static str, &'static Definition)> {
    GROUPS.iter().flat_map(|(fields, definitions)| fields.iter().copied().zip(*definitions))
}
