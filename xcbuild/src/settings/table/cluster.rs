//! What a cluster is: its name, its nodes, its ports.

use std::path::PathBuf;

use super::{CLUSTER, START, TEST};
use crate::settings::definition::{Definition, Kind, settings};
use crate::settings::value::PerNode;
use xc_cluster::ClusterName;
use xc_topology::address::{NetworkId, Prefix};
use xc_topology::network::MTU_LIMITS;

/// What an MTU can be, here as in topologies.
const MTU: Kind = Kind::Number(*MTU_LIMITS.start() as u64, *MTU_LIMITS.end() as u64);

/// The highest number that a node's number can be added to and still be a port.
const PORT_BASE_MAX: u64 = 65_295;
const PORT_MAX: u64 = 65_535;

const fn count(variable: &'static str, option: &'static str, max: u64) -> Definition {
    Definition::new(variable, Kind::Number(0, max))
        .option(option, "N")
        .verbs(&[START, TEST])
        .origin("the topology's")
}

const fn networks(variable: &'static str, option: &'static str) -> Definition {
    Definition::new(variable, Kind::Networks)
        .option(option, "NETS")
        .verbs(&[START])
        .origin("the topology's")
}

const fn port(variable: &'static str, max: u64, default: &'static [&'static str]) -> Definition {
    Definition::new(variable, Kind::Number(1, max)).defaults(default)
}

settings! {
    /// What a cluster is.
    pub(crate) struct ClusterSettings {
        /// The cluster's name
        name: ClusterName = Definition::new("__cluster", Kind::Text).defaults(&["default"])
            .option("cluster", "NAME").verbs(&[START, CLUSTER]);
        /// How many cluster nodes, 1 and up
        vms: Option<u8> = count("__nvm", "nvm", 200);
        /// How many routers, 201 and up
        routers: Option<u8> = count("__nrouters", "nrouters", 20);
        /// How many testers, 221 and up
        testers: Option<u8> = count("__ntesters", "ntesters", 20);
        /// Networks of cluster nodes, as in 0,1
        networks_of_vms: Option<Vec<NetworkId>> = networks("__nets_vm", "nets-vm").env_or("0,1");
        /// Networks of routers
        networks_of_routers: Option<Vec<NetworkId>> =
            networks("__nets_router", "nets-router").env_or("0,1,2");
        /// Networks of testers
        networks_of_testers: Option<Vec<NetworkId>> = networks("__nets_tester", "nets-tester");
        /// Networks of a single node
        networks: PerNode<Vec<NetworkId>> = Definition::new("__nets", Kind::Networks).per_node()
            .origin("its role's");
        /// MiB of memory a node
        memory_mib: PerNode<u32> = Definition::new("__mem", Kind::Number(32, 1_048_576)).per_node()
            .option("mem", "MIB").verbs(&[START, TEST]).env_or("128");
        /// CPUs a node
        cpus: PerNode<u32> = Definition::new("__smp", Kind::Number(1, 255)).per_node()
            .option("smp", "N").verbs(&[START, TEST]).env_or("2");
        // RFC 8200 section 5: IPv6 needs links of 1280 at least.
        /// MTU of all networks, in bytes
        mtu: Option<u32> = Definition::new("__mtu", MTU)
            .option("mtu", "BYTES").verbs(&[START]).origin("the topology's");
        /// More for the kernel command line
        append: PerNode<String> = Definition::new("__append", Kind::Text).per_node()
            .option("append", "WORDS").verbs(&[START]);
        /// The qemu program
        qemu: String = Definition::new("__kvm", Kind::Text).defaults(&["qemu-system-x86_64"]).env()
            .option("kvm", "PROGRAM").verbs(&[START]);
        /// More options for qemu
        qemu_options: PerNode<Vec<String>> = Definition::new("__kvm_opt", Kind::Line)
            .per_node().option("kvm-opt", "OPTIONS").verbs(&[START]);
        /// qemu's machine type
        machine: String = Definition::new("__machine", Kind::Text).defaults(&["pc"]).env()
            .option("machine", "TYPE").verbs(&[START]);
        /// Node N's telnet is at this port plus N
        telnet_base: u16 = port("XCLUSTER_TELNET_BASE", PORT_BASE_MAX, &["12000"]);
        /// Node N's ssh is at this port plus N
        ssh_base: u16 = port("XCLUSTER_SSH_BASE", PORT_BASE_MAX, &["12300"]);
        /// The port that is forwarded to port 8080 of node 1
        kubernetes_port: u16 = port("XCLUSTER_K8S_PORT", PORT_MAX, &["18080"]);
        /// Network N is multicast group 224.0.0.(this plus N)
        multicast_base: u8 = port("XCLUSTER_MCAST_BASE", 254, &["120"]);
        /// Where the DNS proxy of the host listens
        dns_port: u16 = port("XCLUSTER_DNS_PORT", PORT_MAX, &["10053"]);
        /// Ask these DNS servers, ADDRESS or ADDRESS:PORT, in place of those of /etc/resolv.conf; the first
        /// is preferred
        dns_upstream: Vec<String> = Definition::new("__dns_upstream", Kind::Words(','))
            .option("dns-upstream", "SERVER").verbs(&[START, &["dns serve"]]);
        /// A hosts file whose names the DNS proxy answers itself
        dns_spoof: Option<PathBuf> = Definition::new("__dns_spoof", Kind::Path)
            .option("dns-spoof", "FILE").verbs(&[START]);
        /// The IPv6 prefix of all addresses
        prefix: Prefix = Definition::new("PREFIX", Kind::Text).defaults(&[Prefix::DEFAULT]).scripts();
    }
}
