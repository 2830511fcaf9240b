//! Reading a topology file: TOML text in, a checked [`Topology`] out.
//!
//! The language is described in `ovl/network-topology/README.md`. Reading goes in the order of need:
//! variables (they decide conditions), networks, groups, then what speaks of several groups (routes,
//! NAT, impairments), then the rules that hold for the whole. The first thing wrong ends it, with
//! file and line.

use toml::de::DeTable;

use super::address::{MAINTENANCE, NodeId, Role};
use super::group::NodeSet;
use super::network::{DEFAULT_MTU, Network};
use super::{Addressing, Counts, Topology};
use table::{Fields, Source, Value};

mod bridge;
mod check;
mod group;
mod impairment;
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
            impairments: impairment::read(&fields, &networks, &groups)?,
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
