//! The `[network.N]` tables.

use std::collections::BTreeMap;

use super::super::address::{MAINTENANCE, NetworkId};
use super::super::network::{Addressing, DEFAULT_MTU, MTU_LIMITS, Network};
use super::table::{Fields, ParseError, Value};
use super::variable::Variables;

/// Reads all networks; network 0 is there without being named.
pub(super) fn read(
    document: &Fields<'_>,
    variables: &Variables,
) -> Result<BTreeMap<NetworkId, Network>, ParseError> {
    let mut networks = BTreeMap::from([(MAINTENANCE, super::maintenance())]);
    let section = document.need("network")?;
    let tables = section.named("network")?;
    for (name, value) in &tables {
        let id: NetworkId = name.parse().map_err(|error| value.error(error))?;
        if id.to_string() != *name {
            return Err(value.error(format!("write network `{name}` as {id}")));
        }
        networks.insert(id, read_one(id, value, variables)?);
    }
    for (_, value) in &tables {
        check_shared_subnet(value, &networks)?;
    }
    Ok(networks)
}

fn read_one(
    id: NetworkId,
    value: &Value<'_>,
    variables: &Variables,
) -> Result<Network, ParseError> {
    let fields = value.fields(&["description", "mtu", "addresses"])?;
    let description = match fields.get("description") {
        Some(text) => text.string("a few words")?.to_string(),
        None => String::new(),
    };
    let mtu = fields.get("mtu").map(|mtu| mtu.integer(MTU_LIMITS)).transpose()?;
    let addressing = match fields.get("addresses") {
        None => Addressing::Subnet(id),
        Some(_) if id == MAINTENANCE => {
            return Err(value.error("the addresses on network 0 can't be changed"));
        }
        Some(value) => addressing(id, &value, variables)?,
    };
    Ok(Network { id, description, mtu: mtu.unwrap_or(DEFAULT_MTU), addressing })
}

fn addressing(
    id: NetworkId,
    value: &Value<'_>,
    variables: &Variables,
) -> Result<Addressing, ParseError> {
    match value.as_string() {
        Some("none") => return Ok(Addressing::None),
        Some(other) => {
            return Err(value.error(format!(
                "addresses can't be \"{other}\": \"none\", {{ of = NETWORK }} or \
                 {{ from = \"VARIABLE\" }}"
            )));
        }
        None => {}
    }
    let fields = value.fields(&["of", "from"])?;
    match (fields.get("of"), fields.get("from")) {
        (Some(other), None) => Ok(Addressing::Subnet(NetworkId(other.byte(1..=255)?))),
        (None, Some(name)) => match variables.template(&name)? {
            None => Ok(Addressing::None),
            Some(template) => {
                template.subnet(id).map_err(|problem| name.error(problem))?;
                Ok(Addressing::Template(template))
            }
        },
        _ => Err(value.error("addresses are { of = NETWORK } or { from = \"VARIABLE\" }")),
    }
}

fn check_shared_subnet(
    value: &Value<'_>,
    networks: &BTreeMap<NetworkId, Network>,
) -> Result<(), ParseError> {
    let fields = value.fields(&["description", "mtu", "addresses"])?;
    let Some(addresses) = fields.get("addresses").filter(Value::is_table) else { return Ok(()) };
    let Some(of) = addresses.fields(&["of", "from"])?.get("of") else { return Ok(()) };
    let id = reference(&of, networks)?;
    match networks.get(&id).map(|network| network.addressing) {
        Some(Addressing::Subnet(subnet)) if subnet == id => Ok(()),
        _ => Err(of.error(format!("network {id} has no addresses of its own to share"))),
    }
}

/// A field that names a declared network by its number.
pub(super) fn reference(
    value: &Value<'_>,
    networks: &BTreeMap<NetworkId, Network>,
) -> Result<NetworkId, ParseError> {
    let id = NetworkId(value.byte(0..=255)?);
    if networks.contains_key(&id) {
        return Ok(id);
    }
    let known: Vec<String> = networks.keys().map(NetworkId::to_string).collect();
    let known = known.join(", ");
    Err(value.error(format!("there is no network {id}: the file has {known}; add [network.{id}]")))
}
