//! Where the server blocks listen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::ifaddrs::getifaddrs;

use crate::corefile::plugins::Bind;
use crate::corefile::{Corefile, ServerBlock};
use crate::error::Error;
use crate::place::ParseError;

/// An address, and the numbers of the blocks that answer there.
pub(super) type Listening = (SocketAddr, Vec<usize>);

/// All addresses of a Corefile. `port` is that of keys without one.
pub(super) fn listening(corefile: &Corefile, port: u16) -> Result<Vec<Listening>, Error> {
    let mut all: Vec<Listening> = Vec::new();
    for (number, block) in corefile.blocks.iter().enumerate() {
        for address in addresses(block, port)? {
            match all.iter_mut().find(|(known, _)| *known == address) {
                Some((_, blocks)) => blocks.push(number),
                None => all.push((address, vec![number])),
            }
        }
    }
    check_overlaps(corefile, &all)?;
    Ok(all)
}

/// The addresses of a block, each once.
pub(super) fn addresses(block: &ServerBlock, port: u16) -> Result<Vec<SocketAddr>, ParseError> {
    let ips = match block.plugins.bind.as_slice() {
        [] => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        binds => {
            let ips = binds.iter().map(|bind| match bind {
                Bind::Address(ip) => Ok(vec![*ip]),
                Bind::Interface(name) => interface(name)
                    .map_err(|why| block.place.error(format!("bind: interface {name}: {why}"))),
            });
            ips.collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    let mut addresses = Vec::new();
    for key in &block.keys {
        for ip in &ips {
            let address = SocketAddr::new(*ip, key.port.unwrap_or(port));
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

/// One block on all addresses and another on one of them can't be told apart by their sockets.
fn check_overlaps(corefile: &Corefile, all: &[Listening]) -> Result<(), ParseError> {
    for (wide, _) in all.iter().filter(|(address, _)| address.ip().is_unspecified()) {
        let overlaps = |(address, _): &&Listening| {
            let same_kind = address.is_ipv4() == wide.is_ipv4() && address.port() == wide.port();
            same_kind && address != wide
        };
        if let Some((address, blocks)) = all.iter().find(overlaps)
            && let Some(block) = blocks.first().and_then(|number| corefile.blocks.get(*number))
        {
            return Err(block.place.error(format!(
                "bind: {address} overlaps with a block that listens on all addresses: give that one \
                 a bind, too"
            )));
        }
    }
    Ok(())
}

/// The addresses of an interface, without link-local ones, which need their scope.
fn interface(name: &str) -> Result<Vec<IpAddr>, String> {
    let all = getifaddrs().map_err(|error| error.to_string())?;
    let own = all.filter(|interface| interface.interface_name == name);
    let addresses = own.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = || address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
        v4.or_else(v6)
    });
    let usable = |ip: &IpAddr| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let addresses: Vec<IpAddr> = addresses.filter(usable).collect();
    if addresses.is_empty() {
        Err("there is none with an address".to_owned())
    } else {
        Ok(addresses)
    }
}
