//! How a cluster is started. These are read when one is, and not before: their names are plain words
//! that the environment may have for other ends.

use std::path::PathBuf;
use std::time::Duration;

use super::{START, TEST};
use crate::settings::definition::{Definition, Kind, settings};
use xc_cluster::boot::order::Order;
use xc_cluster::key::Access;
use xc_cluster::network;
use xc_vm::accel::Choice;

/// The seconds of a day.
const DAY: u64 = 86_400;

const fn number(variable: &'static str, max: u64) -> Definition {
    Definition::new(variable, Kind::Number(1, max)).verbs(&[START])
}

settings! {
    /// How a cluster is started.
    pub(crate) struct StartSettings {
        /// kvm, tcg, or auto: KVM where it works
        accel: Choice = Definition::new("__accel", Kind::Choice(&["kvm", "tcg", "auto"]))
            .defaults(&["auto"]).option("accel", "KIND").verbs(&[START, TEST]);
        /// A program that wires each interface: called with node and network, it prints options of
        /// qemu
        net_setup: Option<PathBuf> = Definition::new("__net_setup", Kind::Path)
            .option("net-setup", "PROGRAM").verbs(&[START]);
        /// What carries the networks: user, netns, rootless, or auto: netns in a namespace of `nsadd`,
        /// else user
        network: network::Choice = Definition::new(
            "__net", Kind::Choice(network::CHOICES)
        ).defaults(&["auto"]).option("net", "KIND").verbs(&[START, TEST]);
        /// Who gets into the nodes by ssh: key, who has the cluster's key; open, any user of this host,
        /// by telnet as well
        access: Option<Access> = Definition::new("__access", Kind::Choice(&["open", "key"]))
            .origin("open for the cluster `default`, else key").option("access", "WHO").verbs(&[START]);
        // qemu's taps have 1024 queues at most, virtio's interrupts fewer; a node has 255 processors.
        /// How many queues interfaces on bridges have
        queues: Option<u32> = number("__queues", 255).option("queues", "N")
            .origin("one a CPU with KVM, else 1");
        // __timeout is a variable of the contract's test library.
        /// How many seconds a node may take to be ready
        boot_timeout: Option<Duration> = number("__boot_timeout", DAY).option("timeout", "SECONDS")
            .verbs(&[START, TEST]).origin("60 with KVM, else 180");
        /// How many of its nodes boot at once
        parallel: Option<usize> = number("__parallel", DAY).option("parallel", "N")
            .origin("as the host's cores allow, over all clusters");
        /// Which roles come first, as in routers,vms,testers: the next boots when the one before is
        /// ready
        order: Option<Order> = Definition::new("__order", Kind::Text)
            .option("order", "ROLES").verbs(&[START]);
        /// Go on without nodes that don't come up; the exit code is 1 then
        keep_going: bool = Definition::new("__keep_going", Kind::Flag)
            .option("keep-going", "").verbs(&[START]);
        /// Wait so long for memory that clusters which run may give back, where otherwise that is an
        /// error
        queue: Option<Duration> = number("__queue", DAY).option("queue", "SECONDS");
        /// Start even if the host has not enough memory for all nodes
        overcommit: bool = Definition::new("__overcommit", Kind::Flag)
            .option("overcommit", "").verbs(&[START, TEST]);
        /// Have the DNS proxy use answers so many seconds past their time where no server answers
        dns_stale: Option<u64> = Definition::new("__dns_stale", Kind::Number(0, u64::MAX))
            .option("dns-stale", "SECONDS").verbs(&[START]);
    }
}
