//! What `test` does with one cluster: which overlays, which cases, which nodes.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::Arguments;
use crate::cli::build::overlays;
use crate::cli::cluster::topology_file;
use crate::settings::{Settings, Variables};
use crate::ui;
use xc_cluster::ClusterName;
use xc_overlay::manifest::test::{Case, Where};
use xc_overlay::plan::Planned;
use xc_topology::Topology;
use xc_topology::address::Role;

/// The longest part of a cluster's name that is an overlay's: names are up to 32 long.
const NAME_MAX: usize = 16;

/// A cluster, and what is tested on it.
#[derive(Debug)]
pub struct Unit {
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
pub fn plan(arguments: &Arguments, variables: &Variables) -> Result<Vec<Unit>> {
    let settings = Settings::resolve(variables.clone())?;
    let mut tested = Vec::new();
    for given in distinct(&arguments.overlays) {
        let planned = Planned::find(&overlays::search(&settings)?, given)?;
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
        None => Ok(vec![unit(arguments, variables, tested, &arguments.overlays, &mut taken)?]),
        Some(_) => {
            let alone = |tested: Tested| {
                let named = [tested.given.clone()];
                unit(arguments, variables, vec![tested], &named, &mut taken)
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
    variables: &Variables,
    tested: Vec<Tested>,
    named: &[String],
    taken: &mut BTreeSet<String>,
) -> Result<Unit> {
    let mut variables = variables.clone();
    if let Some(name) = topology_of(arguments, &variables, &tested)? {
        variables.set("TOPOLOGY", name);
    }
    let topology = topology_file::load(&Settings::resolve(variables.clone())?)?;
    let cases: Vec<&Case> = tested.iter().flat_map(|t| &t.cases).collect();
    set_counts(&mut variables, &topology, &cases);
    let given = arguments.cluster.cluster.as_ref().is_some_and(|name| !name.is_empty());
    let free = free_name(&tested, taken)?;
    let mut settings = Settings::resolve(variables)?;
    // Set here and not in the variables: what overlays are built with stays the same for each run.
    if !given {
        settings.cluster.name = free;
    }
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
    variables: &Variables,
    tested: &[Tested],
) -> Result<Option<String>> {
    if let Some(name) = &arguments.cluster.topology {
        return Ok(Some(name.clone()));
    }
    let wanted: BTreeSet<&str> = tested.iter().filter_map(|t| t.topology.as_deref()).collect();
    let mut wanted = wanted.into_iter();
    match (wanted.next(), wanted.next()) {
        (Some(one), Some(other)) => bail!(
            "these overlays are made for several topologies (`{one}`, `{other}`): test them each on a cluster of its own, by --parallel"
        ),
        (one, _) if variables.get("TOPOLOGY").is_none() => Ok(one.map(ToOwned::to_owned)),
        _ => Ok(None),
    }
}

/// As many nodes of each role as the topology has and the cases need, unless the user said how many.
fn set_counts(variables: &mut Variables, topology: &Topology, cases: &[&Case]) {
    for (name, role) in
        [("__nvm", Role::Vm), ("__nrouters", Role::Router), ("__ntesters", Role::Tester)]
    {
        let needed = |place: &Where| match place {
            Where::Node(node) if node.role() == role => 1 + node.number() - role.first(),
            Where::Role(of) if *of == role => 1,
            _ => 0,
        };
        let needed = cases.iter().flat_map(|c| &c.nodes).map(needed).max().unwrap_or(0);
        if variables.get(name).is_none() {
            variables.set(name, topology.counts.of(role).max(needed).to_string());
        }
    }
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
