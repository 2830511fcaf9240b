//! Which ports a cluster takes of the host: those that the user has set, and free ones.
//!
//! A port that is set holds or is an error, since somebody relies on it: for the cluster without a name
//! that is all of them, as scripts rely on the contract's numbers. The others of a named cluster come
//! from the first slot in which all are free, and never from slot 0, whose ports the cluster without a
//! name takes when it is started.

use std::collections::BTreeSet;
use std::fmt;

use super::ports::{Reserved, Taken, busy, wanted};
use super::user::{Purpose, SLOTS, UserNet};
use xc_topology::address::NodeId;

/// Which ports a cluster takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// Those it was given; scripts rely on them, so one that is taken is an error.
    #[default]
    Given,
    /// Of those it was given these, and for the others free ones.
    Free(Fixed),
}

/// Which of a cluster's ports the user has set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Those of telnet to nodes.
    pub telnet: bool,
    /// Those of ssh to nodes.
    pub ssh: bool,
    /// The one that leads to a Kubernetes service.
    pub k8s: bool,
    /// The one of the DNS proxy.
    pub dns: bool,
}

impl Policy {
    /// Whether a port for that purpose has to be the one that was given.
    pub fn holds(self, purpose: Purpose) -> bool {
        let Self::Free(fixed) = self else { return true };
        match purpose {
            Purpose::Telnet(_) => fixed.telnet,
            Purpose::Ssh(_) => fixed.ssh,
            Purpose::K8s(_) => fixed.k8s,
            Purpose::Dns => fixed.dns,
            Purpose::Api(_) => false,
        }
    }

    /// The numbers of a slot, but for those that have to be the ones given.
    fn in_slot(self, given: &UserNet, slot: u16) -> UserNet {
        let free = given.in_slot(slot);
        let Self::Free(fixed) = self else { return given.clone() };
        let choose = |fixed: bool, given: u16, free: u16| if fixed { given } else { free };
        UserNet {
            telnet_base: choose(fixed.telnet, given.telnet_base, free.telnet_base),
            ssh_base: choose(fixed.ssh, given.ssh_base, free.ssh_base),
            k8s_port: choose(fixed.k8s, given.k8s_port, free.k8s_port),
            dns_port: choose(fixed.dns, given.dns_port, free.dns_port),
            ..free
        }
    }

    /// The slots that are tried.
    fn slots(self) -> std::ops::Range<u16> {
        match self {
            Self::Given => 0..1,
            Self::Free(_) => 1..SLOTS,
        }
    }
}

/// Ports that are not free; the message names each, its holder and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PortsTaken {
    /// The ports.
    pub taken: Vec<Taken>,
    /// What helps, next to stopping who has them.
    pub remedy: Remedy,
}

/// What helps where ports are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Other ports by variables, or a cluster with a name of its own.
    OtherCluster,
    /// Other ports by variables, or none that are set.
    Unset,
    /// Nothing else.
    FreeThem,
}

impl fmt::Display for PortsTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Taken { port, purpose, holder }) in self.taken.iter().take(5).enumerate() {
            let start = if i == 0 { "" } else { "; " };
            write!(
                f,
                "{start}port {port} on 127.0.0.1, wanted for {purpose}, is taken by {holder}"
            )?;
        }
        if self.taken.len() > 5 {
            write!(f, "; and {} more ports", self.taken.len() - 5)?;
        }
        let names = self.variables().join(" and ");
        let other = match names.as_str() {
            "" => String::new(),
            names => format!(", choose other ports by {names}"),
        };
        match self.remedy {
            Remedy::OtherCluster => write!(
                f,
                ". Stop that program{other}, or use a cluster name of its own (--cluster NAME), which takes free ports"
            ),
            Remedy::Unset => {
                write!(f, ". Stop that program{other}, or leave that unset, which takes free ports")
            }
            Remedy::FreeThem => f.write_str(". Stop that program"),
        }
    }
}

impl PortsTaken {
    /// The variables that choose other ports in place of these, each once.
    fn variables(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.taken.iter().filter_map(|t| t.purpose.variable()).collect();
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }
}

/// Chooses a cluster's TCP ports. The multicast port is where a search for a free one begins, see
/// [`super::multicast`]: nothing but the cluster's own nodes relies on it.
///
/// # Errors
/// [`PortsTaken`] for those that have to be the given ones, or for those of the last slot if no slot is
/// free.
pub fn choose(
    given: &UserNet,
    policy: Policy,
    nodes: &[NodeId],
    with_dns: bool,
    reserved: &Reserved,
) -> Result<UserNet, PortsTaken> {
    let mut last = Vec::new();
    for slot in policy.slots() {
        let net = policy.in_slot(given, slot);
        let mut wanted = wanted(&net, nodes, with_dns);
        // Those that are set come first to the ports that others of the cluster want, too.
        wanted.sort_by_key(|(_, purpose)| !policy.holds(*purpose));
        last = busy(&wanted, reserved);
        if last.is_empty() {
            return Ok(net);
        }
        let set: Vec<_> = last.iter().filter(|t| policy.holds(t.purpose)).cloned().collect();
        if !set.is_empty() {
            let remedy = if policy == Policy::Given { Remedy::OtherCluster } else { Remedy::Unset };
            return Err(PortsTaken { taken: set, remedy });
        }
    }
    Err(PortsTaken { taken: last, remedy: Remedy::FreeThem })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use insta::assert_snapshot;

    use super::{Fixed, Policy, PortsTaken, Remedy, choose};
    use crate::ports::{Holder, Reserved, Taken};
    use crate::user::{Purpose, SLOTS, UserNet};
    use xc_topology::address::NodeId;

    const FREE: Policy = Policy::Free(Fixed { telnet: false, ssh: false, k8s: false, dns: false });

    fn nodes() -> [NodeId; 2] {
        [1, 201].map(|n| NodeId::new(n).unwrap())
    }

    #[test]
    fn slots_of_each_policy() {
        for (policy, first, end) in [(Policy::Given, true, 1), (FREE, false, SLOTS)] {
            assert_eq!(policy.slots().contains(&0), first, "{policy:?}");
            assert_eq!(policy.slots().end, end, "{policy:?}");
        }
        let (given, node) = (UserNet::default(), NodeId::new(1).unwrap());
        let named = choose(&given, FREE, &[node], true, &Reserved::new()).unwrap();
        assert_ne!(named.ssh_port(node), given.ssh_port(node));
    }

    /// All TCP ports of a cluster.
    fn tcp(net: &UserNet) -> Vec<u16> {
        super::wanted(net, &nodes(), true).into_iter().map(|(port, _)| port).collect()
    }

    #[test]
    fn what_is_set_holds_and_what_is_not_leaves_the_default_cluster_alone() {
        let given = UserNet { ssh_base: 19_000, ..UserNet::default() };
        let ssh = Policy::Free(Fixed { ssh: true, ..Fixed::default() });
        let named = choose(&given, ssh, &nodes(), true, &Reserved::new()).unwrap();
        assert_eq!(named.ssh_base, 19_000);
        let default = tcp(&UserNet::default());
        assert!(tcp(&named).iter().all(|port| !default.contains(port)), "{named:?}");
        assert_ne!(named.mcast_port, UserNet::default().mcast_port);

        let all = Fixed { telnet: true, ssh: true, k8s: true, dns: true };
        let given =
            UserNet { telnet_base: 18_500, k8s_port: 18_499, dns_port: 18_498, ..given.clone() };
        let named = choose(&given, Policy::Free(all), &nodes(), true, &Reserved::new()).unwrap();
        assert_eq!(
            UserNet { api_port: given.api_port, mcast_port: given.mcast_port, ..named },
            given
        );
    }

    #[test]
    fn what_is_set_and_taken_is_an_error_and_not_another_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let given = UserNet { dns_port: port, ..UserNet::default() };
        let dns = Policy::Free(Fixed { dns: true, ..Fixed::default() });
        let error = choose(&given, dns, &nodes(), true, &Reserved::new()).unwrap_err();
        assert_eq!(error.taken.len(), 1, "{error}");
        let end = "Stop that program, choose other ports by XCLUSTER_DNS_PORT, or leave that unset, which takes free ports";
        assert!(error.to_string().ends_with(end), "{error}");
        let other = choose(&given, FREE, &nodes(), true, &Reserved::new()).unwrap();
        assert_ne!(other.dns_port, port);
    }

    #[test]
    fn ports_of_one_cluster_do_not_meet() {
        // Where slot 1 has a port of Kubernetes: another slot is taken.
        let given = UserNet { k8s_port: 18_600, dns_port: 18_601, ..UserNet::default() };
        let dns = Policy::Free(Fixed { dns: true, ..Fixed::default() });
        let named = choose(&given, dns, &nodes(), true, &Reserved::new()).unwrap();
        assert_eq!(named.dns_port, 18_601);
        assert_ne!(named.k8s_port, 18_601);
        // Two that are set can't be moved.
        let given = UserNet { ssh_base: 19_000, telnet_base: 19_200, ..UserNet::default() };
        let both = Policy::Free(Fixed { telnet: true, ssh: true, ..Fixed::default() });
        for policy in [both, Policy::Given] {
            let error = choose(&given, policy, &nodes(), false, &Reserved::new()).unwrap_err();
            let what = "port 19201 on 127.0.0.1, wanted for ssh to vm-201, is taken by the same cluster, for telnet to vm-001";
            assert!(error.to_string().contains(what), "others may have ports as well: {error}");
        }
    }

    #[test]
    fn second_cluster_gets_ports_of_its_own() {
        let nodes = [NodeId::new(1).unwrap()];
        let first = choose(&UserNet::default(), FREE, &nodes, true, &Reserved::new()).unwrap();
        let reserved = Reserved::from([(first.ssh_port(nodes[0]), "one".to_owned())]);
        let error = choose(&first, Policy::Given, &nodes, true, &reserved).unwrap_err();
        assert_eq!(error.taken[0].holder, Holder::Cluster("one".into()));
        let second = choose(&UserNet::default(), FREE, &nodes, true, &reserved).unwrap();
        assert_ne!(second.ssh_port(nodes[0]), first.ssh_port(nodes[0]));
        assert_ne!(second.mcast_port, first.mcast_port);
    }

    #[test]
    fn message_has_port_purpose_holder_and_remedy() {
        let node = NodeId::new(201).unwrap();
        let holder = Holder::Process { pid: 42, name: "sshd".into() };
        let taken = vec![
            Taken { port: 12501, purpose: Purpose::Ssh(node), holder },
            Taken { port: 10053, purpose: Purpose::Dns, holder: Holder::User(1000) },
        ];
        let error = PortsTaken { taken, remedy: Remedy::OtherCluster };
        assert_snapshot!(error, @"port 12501 on 127.0.0.1, wanted for ssh to vm-201, is taken by sshd (process 42); port 10053 on 127.0.0.1, wanted for the DNS proxy, is taken by a process of user id 1000. Stop that program, choose other ports by XCLUSTER_SSH_BASE and XCLUSTER_DNS_PORT, or use a cluster name of its own (--cluster NAME), which takes free ports");
    }

    #[test]
    fn remedy_names_the_variable_of_each_purpose() {
        let node = NodeId::new(1).unwrap();
        let rows = [
            (vec![Purpose::Telnet(node)], "choose other ports by XCLUSTER_TELNET_BASE,"),
            (vec![Purpose::K8s(node)], "choose other ports by XCLUSTER_K8S_PORT,"),
            (vec![Purpose::Dns], "choose other ports by XCLUSTER_DNS_PORT,"),
            (vec![Purpose::Ssh(node); 3], "choose other ports by XCLUSTER_SSH_BASE,"),
            (vec![Purpose::Api(node)], "Stop that program, or use"),
        ];
        for (purposes, remedy) in rows {
            let taken = |purpose| Taken { port: 1, purpose, holder: Holder::Unknown };
            let taken = purposes.into_iter().map(taken).collect();
            let message = PortsTaken { taken, remedy: Remedy::OtherCluster }.to_string();
            assert!(message.contains(remedy), "{message}");
        }
    }
}
