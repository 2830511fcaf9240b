//! The `bridges` of a group: bridges inside its nodes.

use std::collections::BTreeMap;

use super::super::address::{MAINTENANCE, NetworkId};
use super::super::group::Bridge;
use super::super::impairment::INBOUND_LINK;
use super::super::network::Network;
use super::network;
use super::table::{Fields, ParseError, Value};

/// The longest name of an interface: IFNAMSIZ of if.h, less the byte at its end.
const NAME_MAX: usize = 15;

/// Names that the kernel has for something else where interfaces are: the loopback interface, the
/// settings for all interfaces and for new ones, a file of the bonding driver in `/sys/class/net`.
const RESERVED: [&str; 4] = ["lo", "all", "default", "bonding_masters"];

/// What the names of other interfaces of a node begin with: those on networks, and those that
/// impairments are made of.
const RESERVED_PREFIXES: [&str; 2] = ["eth", INBOUND_LINK];

/// Reads the bridges of a group that is on those networks.
pub(super) fn read(
    fields: &Fields<'_>,
    on: &[NetworkId],
    networks: &BTreeMap<NetworkId, Network>,
) -> Result<Vec<Bridge>, ParseError> {
    let mut bridges: Vec<Bridge> = Vec::new();
    for value in fields.list("bridges") {
        let inner = value.fields(&["name", "networks"])?;
        let name_value = inner.need("name")?;
        let name = name(&name_value)?;
        if bridges.iter().any(|bridge| bridge.name == name) {
            return Err(name_value.error(format!("a second bridge `{name}` in the same group")));
        }
        let list = inner.need("networks")?;
        let mut ports: Vec<NetworkId> = Vec::new();
        for port in list.members() {
            let id = network::reference(&port, networks)?;
            let taken = bridges.iter().any(|bridge| bridge.networks.contains(&id));
            if !on.contains(&id) || id == MAINTENANCE || taken || ports.contains(&id) {
                return Err(port.error(format!("network {id} can't be a port of {name} here")));
            }
            ports.push(id);
        }
        if ports.is_empty() {
            return Err(list.error(format!("the bridge `{name}` needs a network at least")));
        }
        bridges.push(Bridge { name, networks: ports });
    }
    Ok(bridges)
}

/// A name that is free in every node.
fn name(value: &Value<'_>) -> Result<String, ParseError> {
    let name = value.string("an interface's name")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
        return Err(value.error(format!(
            "an interface can't be called `{name}`: expected letters, digits, `-`, `_` and `.`, \
             a letter or digit first"
        )));
    }
    if name.len() > NAME_MAX {
        let problem = format!("an interface can't be called `{name}`: {NAME_MAX} letters at most");
        return Err(value.error(problem));
    }
    let begins = RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if begins || RESERVED.contains(&name) {
        return Err(value.error(format!("a bridge can't be called `{name}`: the name is taken")));
    }
    Ok(name.to_owned())
}
