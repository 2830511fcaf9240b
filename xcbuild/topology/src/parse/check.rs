//! Rules that hold for a topology as a whole.

use super::super::Topology;
use super::super::address::{MAINTENANCE, NetworkId};
use super::super::group::Group;
use super::super::route::{Destination, Route, Via};
use super::group::Draft;
use super::table::{Fields, ParseError};

/// NAT must have something to do: the group is on the network or routes to it, and what it
/// masquerades leaves by `eth0`, where its default route leads.
pub(super) fn masquerade(drafts: &[Draft<'_>], groups: &[Group]) -> Result<(), ParseError> {
    for (draft, group) in drafts.iter().zip(groups) {
        let Some(value) = draft.fields()?.get("masquerade") else { continue };
        if group.masquerade.is_empty() {
            continue;
        }
        if default_via(group) != Some(&Via::Host) {
            return Err(value.error(format!(
                "`{}` masquerades what leaves by eth0, so it needs the route \
                 {{ to = \"default\", via = \"host\" }}",
                group.name
            )));
        }
        for id in &group.masquerade {
            let leads = |r: &Route| r.to == Destination::Network(*id) && r.via != Via::Nothing;
            let routed = group.routes.iter().any(leads);
            if *id == MAINTENANCE {
                return Err(value.error("network 0 is where masqueraded traffic leaves to"));
            }
            if !group.networks.contains(id) && !routed {
                let name = &group.name;
                return Err(
                    value.error(format!("`{name}` is not on network {id} and has no route to it"))
                );
            }
        }
    }
    Ok(())
}

/// A network that no node is on is a slip of the pen.
pub(super) fn networks_have_members(
    document: &Fields<'_>,
    groups: &[Group],
) -> Result<(), ParseError> {
    for (name, value) in document.need("network")?.named("network")? {
        let id: NetworkId = name.parse().map_err(|error| value.error(error))?;
        if !groups.iter().any(|group| group.networks.contains(&id)) {
            return Err(value.error(format!("no group is on network {id}")));
        }
    }
    Ok(())
}

/// Default routes end at the host, they don't go in a circle.
pub(super) fn default_routes_end(
    drafts: &[Draft<'_>],
    topology: &Topology,
) -> Result<(), ParseError> {
    for (draft, group) in drafts.iter().zip(&topology.groups) {
        let mut path = Vec::new();
        if let Some(circle) = circle_from(topology, group, &mut path) {
            let message = format!("the default routes go in a circle: {circle}");
            return Err(draft.value.error(message));
        }
    }
    Ok(())
}

fn circle_from<'t>(
    topology: &'t Topology,
    group: &'t Group,
    path: &mut Vec<&'t str>,
) -> Option<String> {
    path.push(&group.name);
    if path.iter().filter(|name| **name == group.name).count() > 1 {
        return Some(path.join(" -> "));
    }
    if let Some(Via::Nodes(hops)) = default_via(group) {
        for hop in hops {
            let next = topology.group_of(hop.node)?;
            if let Some(circle) = circle_from(topology, next, path) {
                return Some(circle);
            }
        }
    }
    path.pop();
    None
}

fn default_via(group: &Group) -> Option<&Via> {
    let is_default = |to: &Destination| *to == Destination::Default;
    group.routes.iter().find(|r| is_default(&r.to) && r.leaving_by.is_none()).map(|r| &r.via)
}
