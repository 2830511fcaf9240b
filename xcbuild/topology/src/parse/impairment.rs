//! The `[[impairment]]` tables, merged: a link gets each setting from the narrowest table that has it.
//!
//! A table is narrower than another if its nodes are some of the other's. Where neither is, and the
//! two say different things of one link, nothing tells which one is meant: that is an error.

use std::collections::BTreeMap;

use super::super::Group;
use super::super::address::{MAINTENANCE, NetworkId, NodeId};
use super::super::group::NodeSet;
use super::super::impairment::{End, Impairment, Netem};
use super::super::network::Network;
use super::table::{Fields, ParseError, Value};
use super::{network, node_set};

/// One table as it stands.
struct Table<'a> {
    value: Value<'a>,
    nodes: NodeSet,
    network: NetworkId,
    end: End,
    settings: Vec<Setting<'a>>,
}

/// One setting of a table: `delay = "50ms"`.
struct Setting<'a> {
    field: &'static str,
    text: &'a str,
    value: Value<'a>,
}

/// Reads all tables and gives what each link does in the end, each link once.
pub(super) fn read(
    fields: &Fields<'_>,
    networks: &BTreeMap<NetworkId, Network>,
    groups: &[Group],
) -> Result<Vec<Impairment>, ParseError> {
    let tables = fields.list("impairment");
    let tables = tables.iter().map(|value| table(value, networks, groups));
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    let mut links: Vec<(NetworkId, End)> = Vec::new();
    for table in &tables {
        let link = (table.network, table.end);
        if !links.contains(&link) {
            links.push(link);
        }
    }
    let mut all = Vec::new();
    for (network, end) in links {
        let of_link = |table: &&Table<'_>| (table.network, table.end) == (network, end);
        let tables: Vec<_> = tables.iter().filter(of_link).collect();
        for (nodes, netem) in merged(&tables)? {
            all.push(Impairment { nodes, network, end, netem });
        }
    }
    Ok(all)
}

fn table<'a>(
    value: &Value<'a>,
    networks: &BTreeMap<NetworkId, Network>,
    groups: &[Group],
) -> Result<Table<'a>, ParseError> {
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
    let mut settings = Vec::new();
    for field in Netem::FIELDS {
        let Some(value) = fields.get(field) else { continue };
        let text = value.string("a string with its unit")?;
        Netem::default().set(field, text).map_err(|problem| value.error(problem))?;
        settings.push(Setting { field, text, value });
    }
    if settings.is_empty() {
        return Err(value.error(Netem::default().problem().unwrap_or_default()));
    }
    let end = match fields.get("end").map(|end| (end.as_string(), end)) {
        None | Some((Some("node"), _)) => End::Node,
        Some((Some("host"), _)) => End::Host,
        Some((_, end)) => return Err(end.error("an impairment's end is \"node\" or \"host\"")),
    };
    Ok(Table { value: value.clone(), nodes, network, end, settings })
}

/// What the tables of one network and direction come to: nodes whose links do the same together, in
/// the order of their first. Links that nothing happens on are left out.
fn merged(tables: &[&Table<'_>]) -> Result<Vec<(NodeSet, Netem)>, ParseError> {
    let mut nodes: Vec<NodeId> = tables.iter().flat_map(|table| table.nodes.iter()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut same: Vec<(Vec<NodeId>, Netem)> = Vec::new();
    for node in nodes {
        let of_node: Vec<_> = tables.iter().filter(|t| t.nodes.contains(node)).copied().collect();
        let netem = of_link(&of_node, node)?;
        match same.iter_mut().find(|(_, other)| *other == netem) {
            Some((nodes, _)) => nodes.push(node),
            None if netem.is_sound() => {}
            None => same.push((vec![node], netem)),
        }
    }
    Ok(same.iter().filter_map(|(ids, netem)| Some((NodeSet::of(ids)?, netem.clone()))).collect())
}

/// What all tables of one link come to.
fn of_link(tables: &[&Table<'_>], node: NodeId) -> Result<Netem, ParseError> {
    let mut netem = Netem::default();
    for field in Netem::FIELDS {
        let Some((_, setting)) = narrowest(tables, field, node)? else { continue };
        netem.set(field, setting.text).map_err(|problem| setting.value.error(problem))?;
    }
    match (netem.contradiction(), tables.last()) {
        (Some(problem), Some(table)) => Err(table.value.error(problem)),
        (Some(_), None) | (None, _) => cut_off(tables, node, netem),
    }
}

/// Network 0 is how nodes are reached: a link that loses all there is a node that is lost.
fn cut_off(tables: &[&Table<'_>], node: NodeId, netem: Netem) -> Result<Netem, ParseError> {
    let on_maintenance = tables.first().is_some_and(|table| table.network == MAINTENANCE);
    match narrowest(tables, "loss", node)? {
        Some((_, loss)) if on_maintenance && netem.loses_all() => Err(loss
            .value
            .error(format!("network 0 is how {node} is reached, so it can't lose all packets"))),
        _ => Ok(netem),
    }
}

/// The setting that holds for a field of a link.
fn narrowest<'t, 'a>(
    tables: &[&'t Table<'a>],
    field: &str,
    node: NodeId,
) -> Result<Option<(&'t Table<'a>, &'t Setting<'a>)>, ParseError> {
    let mut found: Option<(&Table<'_>, &Setting<'_>)> = None;
    for table in tables {
        let Some(setting) = table.settings.iter().find(|s| s.field == field) else { continue };
        found = Some(match found {
            None => (table, setting),
            Some((other, before)) => {
                let (within, around) =
                    (table.nodes.is_within(&other.nodes), other.nodes.is_within(&table.nodes));
                match (within, around) {
                    (true, false) => (table, setting),
                    (false, true) => (other, before),
                    _ if setting.text == before.text => (other, before),
                    _ => return Err(contradiction((table, setting), (other, before), node)),
                }
            }
        });
    }
    Ok(found)
}

fn contradiction(
    (table, setting): (&Table<'_>, &Setting<'_>),
    (other, before): (&Table<'_>, &Setting<'_>),
    node: NodeId,
) -> ParseError {
    setting.value.error(format!(
        "{} of {node} on network {} is both `{}`, for nodes {}, and `{}`, for nodes {}: neither is \
         for fewer of the other's nodes",
        setting.field, table.network, before.text, other.nodes, setting.text, table.nodes
    ))
}
