//! `acl [ZONES...] { allow|block|filter|drop [type TYPE...] [net NETWORK...] }`.

use std::net::IpAddr;

use super::{Plugins, arguments, options, unknown};
use crate::corefile::blocks::Directive;
use crate::place::ParseError;
use crate::wire::{Name, rtype};

/// Rules for the names below some zones; the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acl {
    /// Those of the block for none.
    pub(crate) zones: Vec<Name>,
    rules: Vec<Rule>,
}

/// What becomes of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It goes on.
    Allow,
    /// REFUSED.
    Block,
    /// NOERROR without records.
    Filter,
    /// Nothing.
    Drop,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    action: Action,
    /// All for none.
    types: Vec<u16>,
    /// Address and length of its network's part; all for none.
    networks: Vec<(IpAddr, u32)>,
}

impl Acl {
    /// What becomes of a query of this type from there.
    pub(crate) fn action(&self, client: IpAddr, qtype: u16) -> Action {
        let matching = self.rules.iter().find(|rule| {
            let type_matches = rule.types.is_empty() || rule.types.contains(&qtype);
            let within = |network: &(IpAddr, u32)| contains(*network, client.to_canonical());
            type_matches && (rule.networks.is_empty() || rule.networks.iter().any(within))
        });
        matching.map_or(Action::Allow, |rule| rule.action)
    }
}

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut acl = Acl { zones: arguments(directive).zones()?, rules: Vec::new() };
    for (option, mut arguments) in options(directive) {
        let action = match option {
            "allow" => Action::Allow,
            "block" => Action::Block,
            "filter" => Action::Filter,
            "drop" => Action::Drop,
            _ => return Err(unknown(directive, option, &arguments)),
        };
        let mut rule = Rule { action, types: Vec::new(), networks: Vec::new() };
        let mut section = None;
        while let Some(word) = arguments.next() {
            match (word, section) {
                ("type" | "net", _) => section = Some(word),
                ("*", Some(_)) => {}
                (word, Some("type")) => {
                    let known = rtype::parse(word);
                    let unknown = || arguments.error(&format!("`{word}` is not a record type"));
                    rule.types.push(known.ok_or_else(unknown)?);
                }
                (word, Some(_)) => {
                    let unknown = || arguments.error(&format!("`{word}` is not a network"));
                    rule.networks.push(network(word).ok_or_else(unknown)?);
                }
                (word, None) => {
                    return Err(arguments.error(&format!("`{word}`: type or net is expected")));
                }
            }
        }
        acl.rules.push(rule);
    }
    plugins.acl.push(acl);
    Ok(())
}

fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(bits), |length| length.parse().ok())?;
    (length <= bits).then_some((address, length))
}

fn contains((network, length): (IpAddr, u32), address: IpAddr) -> bool {
    let (network, address, bits) = match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b), 128),
        _ => return false,
    };
    // A shift by all bits is not one.
    length == 0 || (network ^ address) >> (bits - length) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        for (text, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "::1", false),
            ("1000::/16", "1000::5", true),
            ("::/0", "::1", true),
        ] {
            let network = network(text).unwrap();
            assert_eq!(contains(network, address.parse().unwrap()), expected, "{text} {address}");
        }
        assert!(["10.0.0.0/33", "x", "10.0.0.0/x"].into_iter().all(|text| network(text).is_none()));
    }
}
