//! The `nameserver` lines of resolv.conf(5). Options and search lists are the clients' business.
//!
//! Without such a line, or without the file, the name server is the one on this machine, says the
//! manual; here that is an answer of its own, [`DEFAULT`], for callers that must not ask themselves.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The port of every server in a resolv.conf.
pub(crate) const DNS_PORT: u16 = 53;

/// The server where a resolv.conf names none (resolv.conf(5): "the default is to use the name
/// server on the local machine").
pub const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DNS_PORT);

/// The servers that a resolv.conf's text means: those it names, else [`DEFAULT`].
pub fn effective_servers(text: &str) -> Vec<SocketAddr> {
    let named = servers(text);
    if named.is_empty() { vec![DEFAULT] } else { named }
}

/// The servers that a resolv.conf's text names, in order, each once. Invalid lines are skipped, as
/// the C library does.
pub fn servers(text: &str) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        if let Some(server) = words.next().and_then(address)
            && !servers.contains(&server)
        {
            servers.push(server);
        }
    }
    servers
}

/// An address, with `%INTERFACE` for link-local ones. The unspecified address means this host.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, scope) = match text.split_once('%') {
        Some((address, interface)) => (address, scope(interface)?),
        None => (text, 0),
    };
    Some(match address.parse().ok()? {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => (Ipv4Addr::LOCALHOST, DNS_PORT).into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => (Ipv6Addr::LOCALHOST, DNS_PORT).into(),
        IpAddr::V4(address) => (address, DNS_PORT).into(),
        IpAddr::V6(address) => SocketAddrV6::new(address, DNS_PORT, 0, scope).into(),
    })
}

/// The index of an interface, given by name or number.
fn scope(interface: &str) -> Option<u32> {
    if let Ok(index) = interface.parse() {
        return Some(index);
    }
    if interface.contains('/') {
        return None;
    }
    fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_server_it_is_the_one_on_this_machine() {
        for text in ["", "\n", "# nameserver 192.0.2.1\n", "search example\n", "nameserver x\n"] {
            assert_eq!(effective_servers(text), [DEFAULT], "{text:?}");
        }
        assert_eq!(DEFAULT.to_string(), "127.0.0.1:53");
        let one = effective_servers("nameserver 192.0.2.1\n");
        assert_eq!(one, ["192.0.2.1:53".parse().unwrap()]);
    }

    #[test]
    fn servers_are_found_among_everything_else() {
        let text = "\
# nameserver 192.0.2.1
search example
nameserver 192.0.2.2
nameserver\t2001:db8::1   trailing
 nameserver 192.0.2.3
nameserver 192.0.2.2
nameserver
nameserver nonsense
nameserver 0.0.0.0
nameserver fe80::1%7
nameserver fe80::1%no/such
nameservers 192.0.2.9
options edns0";
        let shown: Vec<String> = servers(text).iter().map(SocketAddr::to_string).collect();
        assert_eq!(
            shown,
            ["192.0.2.2:53", "[2001:db8::1]:53", "192.0.2.3:53", "127.0.0.1:53", "[fe80::1%7]:53"]
        );
    }
}
