//! The `routes` of groups, resolved against all groups: every next hop becomes a node and the
//! network that both ends are on.

use std::collections::BTreeMap;

use super::super::address::{MAINTENANCE, NetworkId, NodeId};
use super::super::group::Group;
use super::super::network::{Addressing, Network};
use super::super::route::{Destination, NextHop, Route, Via};
use super::group::Draft;
use super::network;
use super::table::{Fields, ParseError, Value, suggestion};
use super::variable::Variables;

const FIELDS: [&str; 6] = ["to", "via", "on", "leaving_by", "when", "unless"];

type Networks = BTreeMap<NetworkId, Network>;

/// The groups with their routes.
pub(super) fn resolve(
    drafts: &[Draft<'_>],
    networks: &Networks,
    variables: &Variables,
) -> Result<Vec<Group>, ParseError> {
    let mut groups = Vec::new();
    for draft in drafts {
        let resolver = Resolver { drafts, networks, group: &draft.group };
        let mut routes: Vec<Route> = Vec::new();
        for value in draft.fields()?.list("routes") {
            let fields = value.fields(&FIELDS)?;
            let resolved = resolver.routes(&value, &fields)?;
            if !variables.allow(&fields)? {
                continue;
            }
            for route in resolved {
                if routes.iter().any(|r| r.to == route.to && r.leaving_by == route.leaving_by) {
                    return Err(value.error("a second route to the same place; use ECMP"));
                }
                routes.push(route);
            }
        }
        keep_from_host(&draft.group, networks, &mut routes);
        groups.push(Group { routes, ..draft.group.clone() });
    }
    Ok(groups)
}

/// The host is on every network. A default route to it would lead around the topology to networks
/// that the group has no route to: those are unreachable instead.
fn keep_from_host(group: &Group, networks: &Networks, routes: &mut Vec<Route>) {
    let main = |route: &&Route| route.leaving_by.is_none();
    let to_host = |route: &Route| route.to == Destination::Default && route.via == Via::Host;
    if !routes.iter().filter(main).any(to_host) {
        return;
    }
    for network in networks.values() {
        let own = group.networks.iter().filter_map(|id| networks.get(id)?.subnet());
        let subnet = network.addressing == Addressing::Subnet(network.id);
        let to = Destination::Network(network.id);
        if subnet
            && !own.into_iter().any(|own| Some(own) == network.subnet())
            && !routes.iter().filter(main).any(|route| route.to == to)
        {
            routes.push(Route { to, via: Via::Nothing, leaving_by: None });
        }
    }
}

struct Resolver<'r, 'a> {
    drafts: &'r [Draft<'a>],
    networks: &'r Networks,
    group: &'r Group,
}

impl Resolver<'_, '_> {
    /// One entry of `routes`; several destinations make several routes.
    fn routes(&self, value: &Value<'_>, fields: &Fields<'_>) -> Result<Vec<Route>, ParseError> {
        let via = self.via(fields)?;
        let leaving_by = match fields.get("leaving_by") {
            Some(value) => Some(self.own_network(&value)?),
            None => None,
        };
        let to_value = fields.need("to")?;
        let to = self.destinations(&to_value)?;
        if leaving_by.is_none() {
            self.refuse_own_subnet(&to_value, &to)?;
        }
        let each = to.iter().any(|to| matches!(to, Destination::Each(..)));
        if each != matches!(via, Via::Itself(_)) {
            return Err(value.error("`to = { each = … }` and `via = \"itself\"` belong together"));
        }
        let off_route = leaving_by.is_some_and(|network| match &via {
            Via::Nodes(hops) => hops.iter().any(|hop| !self.same_interface(hop.network, network)),
            Via::Host => network != MAINTENANCE,
            Via::Itself(other) => *other != network,
            Via::Nothing => false,
        });
        if off_route {
            return Err(value.error("the next hop is not on the network it is to leave by"));
        }
        Ok(to.into_iter().map(|to| Route { to, via: via.clone(), leaving_by }).collect())
    }

    /// A route to a subnet that the group's nodes are on would take the place of the kernel's own.
    fn refuse_own_subnet(&self, value: &Value<'_>, to: &[Destination]) -> Result<(), ParseError> {
        let own = self.subnets(self.group);
        let is_own = |id: &NetworkId| match self.networks.get(id).map(|n| n.addressing) {
            Some(Addressing::Subnet(subnet)) => own.contains(&subnet),
            Some(Addressing::Template(_)) => self.group.networks.contains(id),
            Some(Addressing::None) | None => false,
        };
        let found = to.iter().find_map(|to| match to {
            Destination::Network(id) if is_own(id) => Some(id),
            _ => None,
        });
        match found {
            None => Ok(()),
            Some(id) => Err(value.error(format!(
                "`{}` has addresses of network {id}, so it needs no route to it",
                self.group.name
            ))),
        }
    }

    fn same_interface(&self, subnet: NetworkId, network: NetworkId) -> bool {
        self.networks.get(&network).map(|n| n.addressing) == Some(Addressing::Subnet(subnet))
    }

    fn destinations(&self, value: &Value<'_>) -> Result<Vec<Destination>, ParseError> {
        if value.is_table() {
            let fields = value.fields(&["each", "on"])?;
            let group = self.named_group(&fields.need("each")?)?;
            let on = fields.need("on")?;
            let network = network::reference(&on, self.networks)?;
            if !self.subnets(group).contains(&network) {
                return Err(on.error(format!("`{}` has no addresses of {network}", group.name)));
            }
            return Ok(vec![Destination::Each(group.nodes.clone(), network)]);
        }
        let one = |value: &Value<'_>| match value.as_string() {
            Some("default") => Ok(Destination::Default),
            Some(other) => Err(value.error(format!(
                "a route can't lead to \"{other}\": \"default\", a network's number, or \
                 {{ each = GROUP, on = NETWORK }}"
            ))),
            None => network::reference(value, self.networks).map(Destination::Network),
        };
        value.members().iter().map(one).collect()
    }

    fn via(&self, fields: &Fields<'_>) -> Result<Via, ParseError> {
        let value = fields.need("via")?;
        let on = match fields.get("on") {
            Some(value) => Some(self.own_network(&value)?),
            None => None,
        };
        match value.as_string() {
            Some("host") => return Ok(Via::Host),
            Some("nothing") => return Ok(Via::Nothing),
            Some("itself") => {
                let missing = || value.error("`via = \"itself\"` needs `on = NETWORK`");
                return on.map(Via::Itself).ok_or_else(missing);
            }
            _ => {}
        }
        let mut hops: Vec<NextHop> = Vec::new();
        for member in value.members() {
            let more = self.next_hops(&member, on)?;
            // The kernel refuses routes that have a next hop twice.
            if let Some(hop) = more.iter().find(|hop| hops.iter().any(|h| h.node == hop.node)) {
                return Err(member.error(format!("the next hop {} comes twice", hop.node)));
            }
            hops.extend(more);
        }
        hops.sort_by_key(|hop| hop.node);
        match hops.is_empty() {
            true => Err(value.error("no next hop; to keep something apart, use \"nothing\"")),
            false => Ok(Via::Nodes(hops)),
        }
    }

    /// One member of `via`: a node's number, or a group's name for all its nodes.
    fn next_hops(
        &self,
        value: &Value<'_>,
        on: Option<NetworkId>,
    ) -> Result<Vec<NextHop>, ParseError> {
        let (group, nodes, if_present) = match value.as_string() {
            Some(_) => {
                let group = self.named_group(value)?;
                (group, group.nodes.iter().collect(), true)
            }
            None => {
                let number = value.byte(1..=240)?;
                let id = NodeId::new(number).ok_or_else(|| value.error("no such node"))?;
                let draft = self.drafts.iter().find(|draft| draft.group.nodes.contains(id));
                let unknown = || value.error(format!("{id} is in no group"));
                (&draft.ok_or_else(unknown)?.group, vec![id], false)
            }
        };
        if group.name == self.group.name {
            return Err(value.error(format!("`{}` can't be its own next hop", group.name)));
        }
        if !group.forward {
            return Err(value.error(format!("`{}` has no `forward = true`", group.name)));
        }
        let network = self.common_network(value, group, on)?;
        Ok(nodes.into_iter().map(|node| NextHop { node, network, if_present }).collect())
    }

    /// The network on which a next hop is reached: the only one in common unless `on` says.
    fn common_network(
        &self,
        value: &Value<'_>,
        other: &Group,
        on: Option<NetworkId>,
    ) -> Result<NetworkId, ParseError> {
        let theirs = self.subnets(other);
        let mut common = self.subnets(self.group);
        common.retain(|id| theirs.contains(id) && on.map_or(*id != MAINTENANCE, |on| *id == on));
        match common[..] {
            [network] => Ok(network),
            [] => {
                let list = |group: &Group| {
                    let ids: Vec<String> = group.networks.iter().map(ToString::to_string).collect();
                    format!("`{}` is on {}", group.name, ids.join(", "))
                };
                let (me, them) = (list(self.group), list(other));
                Err(value.error(format!("the next hop is off-link: {me}; {them}")))
            }
            [first, ..] => Err(value.error(format!(
                "`{}` is reached on several networks; choose one, `on = {first}`",
                other.name
            ))),
        }
    }

    /// The networks whose subnets a group's nodes have addresses of.
    fn subnets(&self, group: &Group) -> Vec<NetworkId> {
        let mut subnets = Vec::new();
        for id in &group.networks {
            match self.networks.get(id).map(|network| network.addressing) {
                Some(Addressing::Subnet(subnet)) if !subnets.contains(&subnet) => {
                    subnets.push(subnet);
                }
                _ => {}
            }
        }
        subnets
    }

    fn own_network(&self, value: &Value<'_>) -> Result<NetworkId, ParseError> {
        let id = network::reference(value, self.networks)?;
        match self.group.networks.contains(&id) {
            true => Ok(id),
            false => Err(value.error(format!("`{}` is not on network {id}", self.group.name))),
        }
    }

    fn named_group(&self, value: &Value<'_>) -> Result<&Group, ParseError> {
        let name = value.string("the name of a group")?;
        let found = self.drafts.iter().map(|d| &d.group).find(|group| group.name == name);
        found.ok_or_else(|| {
            let near = suggestion(name, self.drafts.iter().map(|d| d.group.name.as_str()));
            value.error(format!("there is no group `{name}`{near}"))
        })
    }
}
