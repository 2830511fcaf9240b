//! The plan of a cluster's namespace that is joined to the host: `nsadd`. Pure.
//!
//! ```text
//!   host                                    namespace <user>_xcluster<I>
//!   xcluster<I> ───────── veth ─────────── host<I>     default routes by it
//!   base+4I+1/30          routed,          base+4I+2/30
//!   prefix::v4/126        masqueraded      xcbr0, xcbr1, xcbr2
//! ```
//!
//! Each side has an nftables table of its own: the namespace's masquerades the maintenance network,
//! the host's masquerades the veth's network. Nothing is put into anybody else's tables, routes or
//! bridges, so that removing the table, the link and the name is removing all.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::bridges;
use super::op::Op;
use xc_topology::address::{NetworkId, Prefix};

/// The networks that have bridges from the start.
const BRIDGES: [u8; 3] = [0, 1, 2];

/// The name of the nftables table in the cluster's namespace.
pub const CLUSTER_TABLE: &str = "xcbuild";

/// What is between the user and the number in a namespace's name.
const NAME_INFIX: &str = "_xcluster";

/// Why there can be no such namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not an IPv4 network.
    #[error("`{0}` is not an IPv4 network such as 172.30.0.0/24")]
    Base(String),
    /// Not an IPv6 prefix.
    #[error("`{0}` is not an IPv6 prefix of 96 bits such as fd00:1723::")]
    Prefix(String),
    /// A number that has no place in the base network.
    #[error(
        "{base} has room for the namespaces 0 to {last}, not for {index}; give a larger --ipv4-base"
    )]
    TooFar {
        /// The namespace's number.
        index: u8,
        /// The base network.
        base: Base,
        /// The last number that has a place.
        last: u32,
    },
}

/// An IPv4 network that is cut into pieces of four addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    address: Ipv4Addr,
    length: u8,
}

impl FromStr for Base {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let bad = || PlanError::Base(text.into());
        let (address, length) = text.split_once('/').ok_or_else(bad)?;
        let address: Ipv4Addr = address.parse().map_err(|_| bad())?;
        let length = length.parse().ok().filter(|l| (8..=30).contains(l)).ok_or_else(bad)?;
        let base = Self { address, length };
        if address.to_bits() & (base.size() - 1) != 0 {
            return Err(bad());
        }
        Ok(base)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl Base {
    /// How many addresses it has.
    fn size(self) -> u32 {
        1 << (32 - self.length)
    }

    /// The first address of a piece.
    fn piece(self, index: u8) -> Result<u32, PlanError> {
        let offset = u32::from(index) * 4;
        if offset + 4 > self.size() {
            let last = self.size() / 4 - 1;
            return Err(PlanError::TooFar { index, base: self, last });
        }
        Ok(self.address.to_bits() + offset)
    }
}

/// What a namespace is planned from.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose it is.
    pub user: String,
    /// Its number.
    pub index: u8,
    /// `--ipv4-base`.
    pub ipv4_base: String,
    /// `--ipv6-prefix`: the 96 bits before the veth's IPv4 addresses.
    pub ipv6_prefix: String,
    /// The 96 bits before the nodes' IPv4 addresses.
    pub prefix: Prefix,
}

/// A namespace that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name in `/run/netns`.
    pub name: String,
    /// The veth's end on the host, also the name of the table there.
    pub host_link: String,
    /// The veth's end in the namespace.
    pub cluster_link: String,
    /// What is done on the host once the veth is there.
    pub host: Vec<Op>,
    /// What is done in the namespace then.
    pub cluster: Vec<Op>,
}

/// The name of a user's namespace.
pub fn name(user: &str, index: u8) -> String {
    format!("{user}{NAME_INFIX}{index}")
}

/// The number in the name of a namespace, if it is one of ours.
pub fn index_of(name: &str) -> Option<&str> {
    Some(name.rsplit_once(NAME_INFIX)?.1)
}

/// The link on the host to the namespace of a number, also the name of the table there.
pub fn host_link(index: impl fmt::Display) -> String {
    format!("xcluster{index}")
}

/// Plans a namespace.
///
/// # Errors
/// [`PlanError`] for addresses that are none, or a number without a place.
pub fn plan(request: &Request) -> Result<Plan, PlanError> {
    let piece = request.ipv4_base.parse::<Base>()?.piece(request.index)?;
    let prefix = ipv6_prefix(&request.ipv6_prefix)?;
    let ends = [1, 2].map(|i| Ipv4Addr::from_bits(piece + i));
    let v6 = |v4: Ipv4Addr| Ipv6Addr::from_bits(prefix | u128::from(v4.to_bits()));
    let (host_link, cluster_link) = (host_link(request.index), format!("host{}", request.index));
    let network = Ipv4Addr::from_bits(piece);
    let table = Op::Table { name: host_link.clone(), rules: host_rules(network, v6(network)) };
    let side = |link: &str, v4: Ipv4Addr| {
        vec![Op::address(link, v4, 30), Op::address(link, v6(v4), 126), Op::up(link)]
    };
    let mut host = side(&host_link, ends[0]);
    host.push(table);
    let mut cluster = vec![Op::up("lo")];
    cluster.extend(side(&cluster_link, ends[1]));
    cluster.push(Op::DefaultRoute { via: ends[0].into() });
    cluster.push(Op::DefaultRoute { via: v6(ends[0]).into() });
    cluster.push(Op::sysctl("net/ipv4/ip_forward", "1"));
    cluster.push(Op::sysctl("net/ipv6/conf/all/forwarding", "1"));
    let rules = bridges::masquerade(&request.prefix, &cluster_link);
    cluster.push(Op::Table { name: CLUSTER_TABLE.into(), rules });
    cluster
        .extend(BRIDGES.iter().flat_map(|n| bridges::bridge_ops(NetworkId(*n), &request.prefix)));
    Ok(Plan { name: name(&request.user, request.index), host_link, cluster_link, host, cluster })
}

fn ipv6_prefix(text: &str) -> Result<u128, PlanError> {
    let bits = text.parse::<Ipv6Addr>().map(Ipv6Addr::to_bits);
    let whole = bits.ok().filter(|bits| bits & u128::from(u32::MAX) == 0);
    whole.ok_or_else(|| PlanError::Prefix(text.into()))
}

fn host_rules(v4: Ipv4Addr, v6: Ipv6Addr) -> String {
    format!(
        "\tchain postrouting {{\n\
         \t\ttype nat hook postrouting priority srcnat\n\
         \t\tip saddr {v4}/30 ip daddr != {v4}/30 masquerade\n\
         \t\tip6 saddr {v6}/126 ip6 daddr != {v6}/126 masquerade\n\
         \t}}\n"
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Request, index_of, plan};
    use crate::op::text;
    use xc_topology::address::Prefix;

    fn request(index: u8, base: &str, prefix: &str) -> Request {
        Request {
            user: "kim".into(),
            index,
            ipv4_base: base.into(),
            ipv6_prefix: prefix.into(),
            prefix: Prefix::default(),
        }
    }

    #[test]
    fn first_namespace_of_the_contracts_networks() {
        let plan = plan(&request(1, "172.30.0.0/24", "fd00:1723::")).unwrap();
        assert_eq!(plan.name, "kim_xcluster1");
        assert_eq!((index_of(&plan.name), index_of("kim")), (Some("1"), None));
        assert_snapshot!(text(&plan.host), @r#"
        ip address add 172.30.0.5/30 dev xcluster1
        ip address add fd00:1723::ac1e:5/126 dev xcluster1
        ip link set xcluster1 up
        nft table inet xcluster1 {
        	chain postrouting {
        		type nat hook postrouting priority srcnat
        		ip saddr 172.30.0.4/30 ip daddr != 172.30.0.4/30 masquerade
        		ip6 saddr fd00:1723::ac1e:4/126 ip6 daddr != fd00:1723::ac1e:4/126 masquerade
        	}
        }
        "#);
        assert_snapshot!(text(&plan.cluster), @r#"
        ip link set lo up
        ip address add 172.30.0.6/30 dev host1
        ip address add fd00:1723::ac1e:6/126 dev host1
        ip link set host1 up
        ip route add default via 172.30.0.5
        ip route add default via fd00:1723::ac1e:5
        sysctl -w net/ipv4/ip_forward=1
        sysctl -w net/ipv6/conf/all/forwarding=1
        nft table inet xcbuild {
        	chain postrouting {
        		type nat hook postrouting priority srcnat
        		ip saddr 192.168.0.0/24 oifname "host1" masquerade
        		ip6 saddr 1000::1:c0a8:0/120 oifname "host1" masquerade
        	}
        }
        ip link add xcbr0 type bridge
        ip address add 192.168.0.250/24 dev xcbr0
        ip address add 1000::1:c0a8:fa/120 dev xcbr0
        ip link set xcbr0 up
        ip link add xcbr1 type bridge
        ip address add 192.168.1.250/24 dev xcbr1
        ip address add 1000::1:c0a8:1fa/120 dev xcbr1
        ip link set xcbr1 up
        ip link add xcbr2 type bridge
        ip address add 192.168.2.250/24 dev xcbr2
        ip address add 1000::1:c0a8:2fa/120 dev xcbr2
        ip link set xcbr2 up
        "#);
    }

    #[test]
    fn impossible_networks_are_refused() {
        let rows = [
            (
                1,
                "172.30.0.0",
                "fd00::",
                "`172.30.0.0` is not an IPv4 network such as 172.30.0.0/24",
            ),
            (
                1,
                "172.30.0.1/24",
                "fd00::",
                "`172.30.0.1/24` is not an IPv4 network such as 172.30.0.0/24",
            ),
            (
                1,
                "10.0.0.0/31",
                "fd00::",
                "`10.0.0.0/31` is not an IPv4 network such as 172.30.0.0/24",
            ),
            (
                1,
                "10.0.0.0/24",
                "fd00",
                "`fd00` is not an IPv6 prefix of 96 bits such as fd00:1723::",
            ),
            (
                1,
                "10.0.0.0/24",
                "fd00::1",
                "`fd00::1` is not an IPv6 prefix of 96 bits such as fd00:1723::",
            ),
            (
                64,
                "10.0.0.0/24",
                "fd00::",
                "10.0.0.0/24 has room for the namespaces 0 to 63, not for 64; give a larger --ipv4-base",
            ),
        ];
        for (index, base, prefix, message) in rows {
            let error = plan(&request(index, base, prefix)).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        assert!(plan(&request(255, "10.0.0.0/22", "fd00::")).is_ok());
    }
}
