//! Reading a topology file: TOML text in, a checked [`Topology`] out.
//!
//! The language is described in `ovl/network-topology/README.md`. Reading goes in the order of need:
//! variables (they decide conditions), networks, groups, then what speaks of several groups (routes,
//! NAT, impairments), then the rules that hold for the whole. The first thing wrong ends it, with
//! file and line.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::address::{MAINTENANCE, NetworkId, NodeId, Role};
use super::group::NodeSet;
use super::impairment::{End, Impairment, Netem};
use super::network::{DEFAULT_MTU, Network};
use super::{Addressing, Counts, Topology};
use table::{Fields, Source, Value};

mod bridge;
mod check;
mod group;
mod network;
mod route;
mod table;
mod variable;

pub use table::ParseError;

/// Where the values of variables come from: a name, and its value if it is set.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

const FIELDS: [&str; 6] = ["description", "counts", "variable", "network", "group", "impairment"];

impl Topology {
    /// Reads a topology. `file` is for messages, `name` is what `TOPOLOGY` calls it; `lookup` is
    /// asked for each variable that the file declares, and for no other.
    ///
    /// # Errors
    /// The first thing that can't be, with file and line.
    pub fn parse(
        file: &str,
        name: &str,
        text: &str,
        lookup: Lookup<'_>,
    ) -> Result<Self, ParseError> {
        let source = Source { file, text };
        let document = DeTable::parse(text).map_err(|error| {
            source.error(&error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()))
        })?;
        let document = toml::de::DeValue::Table(document.into_inner());
        let fields = Fields::of_document(source, &document, &FIELDS)?;
        let variables = variable::read(&fields, lookup)?;
        let networks = network::read(&fields, &variables)?;
        let drafts = group::read(&fields, &networks, &variables)?;
        let groups = route::resolve(&drafts, &networks, &variables)?;
        check::masquerade(&drafts, &groups)?;
        check::networks_have_members(&fields, &groups)?;
        let topology = Self {
            name: name.to_string(),
            description: fields.need("description")?.string("a sentence")?.to_string(),
            counts: counts(&fields, &groups)?,
            impairments: impairments(&fields, &networks, &groups)?,
            networks,
            groups,
        };
        check::default_routes_end(&drafts, &topology)?;
        Ok(topology)
    }
}

/// How many nodes are started: as the file says, else as usual, as far as groups have such nodes.
fn counts(fields: &Fields<'_>, groups: &[super::Group]) -> Result<Counts, ParseError> {
    let mut counts = Counts::default();
    let slots = [
        ("vm", Role::Vm, &mut counts.vm),
        ("routers", Role::Router, &mut counts.routers),
        ("testers", Role::Tester, &mut counts.testers),
    ];
    let given = fields.get("counts");
    let given =
        given.as_ref().map(|value| value.fields(&["vm", "routers", "testers"])).transpose()?;
    for (field, role, slot) in slots {
        let has_place = |id: &NodeId| groups.iter().any(|group| group.nodes.contains(*id));
        let places = NodeId::of_role(role, role.capacity()).take_while(has_place).count();
        let Some(value) = given.as_ref().and_then(|fields| fields.get(field)) else {
            *slot = (*slot).min(u8::try_from(places).unwrap_or(u8::MAX));
            continue;
        };
        *slot = value.byte(0..=role.capacity())?;
        if usize::from(*slot) > places {
            let first = role.first() + u8::try_from(places).unwrap_or(0);
            return Err(value.error(format!("{field} = {slot}, but {first} is in no group")));
        }
    }
    Ok(counts)
}

fn impairments(
    fields: &Fields<'_>,
    networks: &BTreeMap<NetworkId, Network>,
    groups: &[super::Group],
) -> Result<Vec<Impairment>, ParseError> {
    fields.list("impairment").iter().map(|value| impairment(value, networks, groups)).collect()
}

fn impairment(
    value: &Value<'_>,
    networks: &BTreeMap<NetworkId, Network>,
    groups: &[super::Group],
) -> Result<Impairment, ParseError> {
    let mut allowed = vec!["nodes", "network", "end"];
    allowed.extend(Netem::FIELDS);
    let fields = value.fields(&allowed)?;
    let nodes = node_set(&fields.need("nodes")?)?;
    let network_value = fields.need("network")?;
    let network = network::reference(&network_value, networks)?;
    for node in nodes.iter() {
        if !groups.iter().any(|g| g.nodes.contains(node) && g.networks.contains(&network)) {
            return Err(network_value.error(format!("{node} is not on network {network}")));
        }
    }
    let mut netem = Netem::default();
    for (field, value) in
        Netem::FIELDS.iter().filter_map(|field| fields.get(field).map(|value| (field, value)))
    {
        let text = value.string("a string with its unit")?;
        netem.set(field, text).map_err(|problem| value.error(problem))?;
    }
    if let Some(problem) = netem.problem() {
        return Err(value.error(problem));
    }
    let end = match fields.get("end").map(|end| (end.as_string(), end)) {
        None | Some((Some("node"), _)) => End::Node,
        Some((Some("host"), _)) => End::Host,
        Some((_, end)) => return Err(end.error("an impairment's end is \"node\" or \"host\"")),
    };
    Ok(Impairment { nodes, network, end, netem })
}

/// Nodes as a string (`"vm"`, `"1-9"`) or one number.
fn node_set(value: &Value<'_>) -> Result<NodeSet, ParseError> {
    let text = match value.as_integer() {
        Some(number) => number.to_string(),
        None => value.string("nodes such as \"vm\", \"201\" or \"1-9\"")?.to_string(),
    };
    NodeSet::parse(&text).map_err(|problem| value.error(problem))
}

/// The maintenance network, which every topology has without saying so.
fn maintenance() -> Network {
    Network {
        id: MAINTENANCE,
        description: "maintenance".into(),
        mtu: DEFAULT_MTU,
        addressing: Addressing::Subnet(MAINTENANCE),
    }
}

#[cfg(test)]
mod tests;
