//! What a node's kernel and init are told on the kernel command line. Pure.
//!
//! `xc.*` are for the node's init scripts: how many nodes of each role there are, the IPv6 prefix
//! and, where it is not the contract's 10053, the port of the host's DNS proxy; the public half of the
//! cluster's ssh key, where it has one. `mtuN=` is the MTU of network N where it is not 1500. What the
//! user appends comes last, since the last of two settings counts.

use super::command::Accel;
use xc_topology::address::Prefix;
use xc_topology::{Counts, Node};

/// The port of the host's DNS proxy that nodes take for granted.
const CONTRACT_DNS_PORT: u16 = 10_053;

/// The MTU that an interface has if nothing is said.
const ETHERNET_MTU: u32 = 1500;

/// What makes any node boot faster: each character on the console is a trap, under KVM as well.
const QUIET: &str = "quiet";

/// What makes a node boot faster, and for certain, on an emulated processor. `cryptomgr.notests`: the
/// kernel's tests of its ciphers take longer than the rest of its start. (Not `acpi=noirq`, which
/// would be as good: interrupts are no longer messages then.) `no_timer_check`: the kernel waits for
/// ten ticks of a timer as long as ten ticks should take, and panics if they don't come ("IO-APIC +
/// timer doesn't work"); on a crowded host they come later (kernel-parameters.txt). Under KVM the
/// kernel finds out by itself that its timer needs no check, and its own tests take no time.
const EMULATED: &[&str] = &["cryptomgr.notests", "no_timer_check"];

/// What is said to all nodes alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// How many nodes there are of each role.
    pub counts: Counts,
    /// The 96 bits before each IPv4 address.
    pub prefix: Prefix,
    /// The port of the host's DNS proxy.
    pub dns_port: u16,
    /// The public half of the ssh key without which nobody gets in, if there is one.
    pub key: Option<String>,
    /// What the user wants appended for all nodes.
    pub append: String,
}

/// The kernel command line of a node that is executed in that way.
pub fn kernel_line(node: &Node, accel: Accel, common: &Common) -> String {
    let mut words = vec!["console=ttyS0".to_owned(), QUIET.to_owned()];
    if accel == Accel::Tcg {
        words.extend(EMULATED.iter().map(ToString::to_string));
    }
    let odd = node.interfaces.iter().filter(|i| i.mtu != ETHERNET_MTU);
    words.extend(odd.map(|i| format!("mtu{}={}", i.network, i.mtu)));
    words.push(format!("xc.nvm={}", common.counts.vm));
    words.push(format!("xc.nrouters={}", common.counts.routers));
    words.push(format!("xc.ntesters={}", common.counts.testers));
    words.push(format!("xc.prefix={}", common.prefix));
    if common.dns_port != CONTRACT_DNS_PORT {
        words.push(format!("xc.dnsport={}", common.dns_port));
    }
    words.extend(common.key.iter().map(|key| format!("xc.key={key}")));
    words.extend([&common.append, &node.append].into_iter().filter(|t| !t.is_empty()).cloned());
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Common, kernel_line};
    use crate::command::Accel;
    use xc_topology::Counts;
    use xc_topology::address::Prefix;
    use xc_topology::fixture::node;

    #[test]
    fn only_emulated_processors_skip_what_they_are_slow_at() {
        let common = Common {
            counts: Counts { vm: 1, routers: 0, testers: 0 },
            prefix: Prefix::default(),
            dns_port: 10_054,
            key: Some("AAAA".into()),
            append: "last".into(),
        };
        let line = |accel| kernel_line(&node(1, &[0]), accel, &common);
        let rest = "xc.nvm=1 xc.nrouters=0 xc.ntesters=0 xc.prefix=1000::1 xc.dnsport=10054 \
                    xc.key=AAAA last";
        assert_eq!(line(Accel::Kvm), format!("console=ttyS0 quiet {rest}"));
        let emulated = "console=ttyS0 quiet cryptomgr.notests no_timer_check";
        assert_eq!(line(Accel::Tcg), format!("{emulated} {rest}"));
    }
}
