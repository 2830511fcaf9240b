//! The `[group.NAME]` tables, less their routes: those need all groups to be known.

use std::collections::BTreeMap;

use super::super::address::{MAINTENANCE, NetworkId};
use super::super::group::{Bridge, Group};
use super::super::network::Network;
use super::table::{Fields, ParseError, Value};
use super::variable::Variables;
use super::{bridge, network, node_set};

/// A group without its routes, with the table it was read from.
pub(super) struct Draft<'a> {
    /// The group; `routes` is empty.
    pub group: Group,
    /// Its table, for routes and for errors.
    pub value: Value<'a>,
}

const FIELDS: [&str; 9] = [
    "nodes",
    "networks",
    "name_on",
    "memory",
    "cpus",
    "forward",
    "masquerade",
    "bridges",
    "routes",
];

/// Words that a route's `via` gives another meaning to, and files that stand where groups have their
/// directories (see [`super::super::render`]).
const RESERVED: [&str; 5] = ["host", "itself", "nothing", "name", "groups"];

impl<'a> Draft<'a> {
    /// The fields of the group's table.
    pub(super) fn fields(&self) -> Result<Fields<'a>, ParseError> {
        self.value.fields(&FIELDS)
    }
}

/// Reads all groups, in the order of their node numbers.
pub(super) fn read<'a>(
    document: &Fields<'a>,
    networks: &BTreeMap<NetworkId, Network>,
    variables: &Variables,
) -> Result<Vec<Draft<'a>>, ParseError> {
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    for (name, value) in document.need("group")?.named("group")? {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) || RESERVED.contains(&name) {
            return Err(value.error(format!("a group can't be called `{name}`")));
        }
        let group = read_one(name, &value, networks, variables)?;
        for other in &drafts {
            if let Some(node) = group.nodes.iter().find(|node| other.group.nodes.contains(*node)) {
                let other = &other.group.name;
                return Err(value.error(format!("{node} is in groups `{other}` and `{name}`")));
            }
        }
        drafts.push(Draft { group, value });
    }
    drafts.sort_by_key(|draft| draft.group.nodes.first());
    Ok(drafts)
}

fn read_one(
    name: &str,
    value: &Value<'_>,
    networks: &BTreeMap<NetworkId, Network>,
    variables: &Variables,
) -> Result<Group, ParseError> {
    let fields = value.fields(&FIELDS)?;
    let on = attached(&fields, networks)?;
    let bridges = bridge::read(&fields, &on, networks)?;
    one_interface_per_subnet(value, &on, &bridges, networks)?;
    Ok(Group {
        name: name.to_string(),
        nodes: node_set(&fields.need("nodes")?)?,
        name_on: name_on(&fields, &on, networks)?,
        networks: on,
        memory_mib: fields.get("memory").map(|v| v.integer(32..=1 << 20)).transpose()?,
        cpus: fields.get("cpus").map(|v| v.integer(1..=255)).transpose()?,
        forward: fields.get("forward").map(|v| v.boolean()).transpose()?.unwrap_or(false),
        masquerade: masqueraded(&fields, networks, variables)?,
        bridges,
        routes: Vec::new(),
    })
}

fn attached(
    fields: &Fields<'_>,
    networks: &BTreeMap<NetworkId, Network>,
) -> Result<Vec<NetworkId>, ParseError> {
    let list = fields.need("networks")?;
    let mut on = Vec::new();
    for value in list.members() {
        let id = network::reference(&value, networks)?;
        if on.contains(&id) {
            return Err(value.error(format!("network {id} comes twice")));
        }
        on.push(id);
    }
    match on.first() {
        Some(&MAINTENANCE) => Ok(on),
        _ => Err(list.error("networks begin with 0: that is eth0 of every node")),
    }
}

/// A subnet may be on one interface of a node: the kernel would answer by either.
fn one_interface_per_subnet(
    value: &Value<'_>,
    on: &[NetworkId],
    bridges: &[Bridge],
    networks: &BTreeMap<NetworkId, Network>,
) -> Result<(), ParseError> {
    let subnet = |id: &NetworkId| networks.get(id).and_then(Network::subnet);
    let bridge = |id: &NetworkId| bridges.iter().position(|b| b.networks.contains(id));
    for (i, one) in on.iter().enumerate() {
        for other in &on[..i] {
            let shared = subnet(one) == subnet(other) && subnet(one).is_some();
            let bridged = bridge(one).is_some() && bridge(one) == bridge(other);
            if shared && !bridged {
                let message = "have the same addresses, so a node on both must bridge them";
                return Err(value.error(format!("networks {other} and {one} {message}")));
            }
            if bridged && !shared {
                let message = "are bridged, so one must have `addresses = { of = … }` the other";
                return Err(value.error(format!("networks {other} and {one} {message}")));
            }
        }
    }
    Ok(())
}

fn name_on(
    fields: &Fields<'_>,
    on: &[NetworkId],
    networks: &BTreeMap<NetworkId, Network>,
) -> Result<NetworkId, ParseError> {
    let addressed = |id: &&NetworkId| networks.get(id).is_some_and(|n| n.subnet().is_some());
    let Some(value) = fields.get("name_on") else {
        return Ok(on.iter().skip(1).find(addressed).copied().unwrap_or(MAINTENANCE));
    };
    let id = network::reference(&value, networks)?;
    match on.iter().filter(addressed).any(|other| *other == id) {
        true => Ok(id),
        false => Err(value.error(format!("the nodes have no address on network {id}"))),
    }
}

/// `masquerade = [1, 2]`, or `{ networks = [1, 2], unless = "VARIABLE" }`.
fn masqueraded(
    fields: &Fields<'_>,
    networks: &BTreeMap<NetworkId, Network>,
    variables: &Variables,
) -> Result<Vec<NetworkId>, ParseError> {
    let Some(value) = fields.get("masquerade") else { return Ok(Vec::new()) };
    let mut allowed = true;
    let mut list = value.members();
    if value.is_table() {
        let inner = value.fields(&["networks", "when", "unless"])?;
        allowed = variables.allow(&inner)?;
        list = inner.need("networks")?.members();
    }
    let ids = list.iter().map(|member| network::reference(member, networks));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    Ok(if allowed { ids } else { Vec::new() })
}
