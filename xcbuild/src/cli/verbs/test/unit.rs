//! What `test` does with one cluster: which overlays, which cases, which nodes.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::Arguments;
use crate::cli::build::overlays;
use crate::cli::cluster::topology_file;
use crate::settings::{BuildSettings, ClusterSettings, Settings};
use crate::ui;
use xc_cluster::ClusterName;
use xc_overlay::manifest::test::{Case, NodeSelector};
use xc_overlay::plan::Planned;
use xc_topology::Topology;
use xc_topology::address::Role;

/// The longest part of a cluster's name that is an overlay's: names are up to 32 long.
const NAME_MAX: usize = 16;

/// A cluster, and what is tested on it.
#[derive(Debug)]
pub(super) struct Unit {
    /// The cluster's settings: its name, its ISO, its topology, its counts.
    pub settings: Settings,
    /// The topology.
    pub topology: Topology,
    /// The overlays of its ISO.
    pub overlays: Vec<String>,
    /// The overlays that are tested, with their cases.
    pub tested: Vec<(String, Vec<Case>)>,
}

/// An overlay that has cases.
struct Tested {
    /// As it was given.
    given: String,
    name: String,
    topology: Option<String>,
    cases: Vec<Case>,
}

/// The clusters of a command line.
///
/// # Errors
/// When an overlay is unknown, its manifest wrong, or none of them has a test.
pub(super) fn plan(arguments: &Arguments, settings: &Settings) -> Result<Vec<Unit>> {
    let mut tested = Vec::new();
    for given in distinct(&arguments.overlays) {
        let planned = Planned::find(&overlays::search(settings)?, given)?;
        let name = planned.overlay.name;
        let Some(manifest) = planned.manifest.filter(|m| m.test.is_some()) else {
            ui::warn(format_args!("`{name}` has no [test] in an ovl.toml; it is only built in"));
            continue;
        };
        let cases = manifest.test.iter().flat_map(|test| test.get_ref().all()).collect();
        let topology = manifest.topology.map(|t| t.0);
        tested.push(Tested { given: given.into(), name, topology, cases });
    }
    if tested.is_empty() {
        bail!("none of these overlays has a [test] in its ovl.toml; docs/overlays.md has its form");
    }
    let mut taken = BTreeSet::new();
    match arguments.parallel {
        None => Ok(vec![unit(arguments, settings, tested, &arguments.overlays, &mut taken)?]),
        Some(_) => {
            let alone = |tested: Tested| {
                let named = [tested.given.clone()];
                unit(arguments, settings, vec![tested], &named, &mut taken)
            };
            tested.into_iter().map(alone).collect()
        }
    }
}

fn distinct(names: &[String]) -> impl Iterator<Item = &str> {
    let mut seen = BTreeSet::new();
    names.iter().map(String::as_str).filter(move |name| seen.insert(*name))
}

fn unit(
    arguments: &Arguments,
    settings: &Settings,
    tested: Vec<Tested>,
    named: &[String],
    taken: &mut BTreeSet<String>,
) -> Result<Unit> {
    let mut settings = settings.clone();
    if let Some(name) = topology_of(arguments, &settings, &tested)? {
        settings = settings.with(&BuildSettings::topology, &name)?;
    }
    let topology = topology_file::load(&settings)?;
    let cases: Vec<&Case> = tested.iter().flat_map(|t| &t.cases).collect();
    let mut settings = with_counts(settings, &topology, &cases)?;
    let given = arguments.cluster.as_deref().filter(|name| !name.is_empty());
    let free = free_name(&tested, taken)?;
    // Set here and not in the variables: what overlays are built with stays the same for each run.
    settings.cluster.name = given.map_or(Ok(free), str::parse)?;
    let iso = format!("cluster-{}.iso", settings.cluster.name);
    settings.places.cdrom = settings.places.tmp.join(iso);
    let base = arguments.base.iter().filter(|name| !name.is_empty()).cloned();
    let overlays = base.chain(named.iter().cloned()).chain(settings.build.always.clone());
    let overlays = overlays.collect();
    let tested = tested.into_iter().map(|t| (t.name, t.cases)).collect();
    Ok(Unit { settings, topology, overlays, tested })
}

/// The topology: the option, else what the overlays are made for, else the user's setting.
fn topology_of(
    arguments: &Arguments,
    settings: &Settings,
    tested: &[Tested],
) -> Result<Option<String>> {
    if let Some(name) = &arguments.topology {
        return Ok(Some(name.clone()));
    }
    let wanted: BTreeSet<&str> = tested.iter().filter_map(|t| t.topology.as_deref()).collect();
    let mut wanted = wanted.into_iter();
    match (wanted.next(), wanted.next()) {
        (Some(one), Some(other)) => bail!(
            "these overlays are made for several topologies (`{one}`, `{other}`): test them each on a cluster of its own, by --parallel"
        ),
        (one, _) if !settings.is_set(&BuildSettings::topology) => Ok(one.map(ToOwned::to_owned)),
        _ => Ok(None),
    }
}

/// As many nodes of each role as the topology has and the cases need, unless the user said how many.
fn with_counts(mut settings: Settings, topology: &Topology, cases: &[&Case]) -> Result<Settings> {
    for (count, role) in [
        (&ClusterSettings::vms, Role::Vm),
        (&ClusterSettings::routers, Role::Router),
        (&ClusterSettings::testers, Role::Tester),
    ] {
        let needed = |place: &NodeSelector| match place {
            NodeSelector::Node(node) if node.role() == role => 1 + node.number() - role.first(),
            NodeSelector::Role(of) if *of == role => 1,
            _ => 0,
        };
        let needed = cases.iter().flat_map(|c| &c.nodes).map(needed).max().unwrap_or(0);
        settings = settings.or(count, &topology.counts.of(role).max(needed).to_string())?;
    }
    Ok(settings)
}

/// A name that no other run has: `test-OVL-PID`.
fn free_name(tested: &[Tested], taken: &mut BTreeSet<String>) -> Result<ClusterName> {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    let first = tested.first().map_or("", |t| t.name.as_str());
    let name: String = first.chars().filter(plain).take(NAME_MAX).collect();
    let process = std::process::id();
    let names = (1..).map(|n| match n {
        1 => format!("test-{name}-{process}"),
        // Names that were cut may be the same.
        n => format!("test-{:.12}{n}-{process}", name),
    });
    let free = { names }.find(|name| !taken.contains(name)).unwrap_or_default();
    let name = free.parse()?;
    taken.insert(free);
    Ok(name)
}
