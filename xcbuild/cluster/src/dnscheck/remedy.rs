//! What helps against failing steps, by commands on the cluster that was walked.

use std::path::Path;

use crate::ClusterName;
use xc_topology::address::NodeId;

/// Against a proxy that does not answer.
pub(super) fn proxy(cluster: &ClusterName, log: &Path) -> String {
    let [stop, start] = ["stop", "start"].map(|verb| cluster.command(verb));
    format!("{stop}, then {start} brings it back; {} says what happened", log.display())
}

/// Against a proxy that asks other servers than the resolver has.
pub(super) fn upstreams(cluster: &ClusterName) -> String {
    let [stop, start] = ["stop", "start"].map(|verb| cluster.command(verb));
    format!("{stop}, then {start} has the proxy read /etc/resolv.conf again")
}

/// Against a node that does not reach the proxy.
pub(super) fn network_0(cluster: &ClusterName, node: NodeId) -> String {
    let route = cluster.command(format_args!("rsh {} ip route", node.number()));
    let link = cluster.command(format_args!("link {} 0", node.number()));
    format!("the node does not reach the host on network 0: see {route}, {link}")
}

/// Against a node's own server that does not answer.
pub(super) fn node_server(cluster: &ClusterName, node: NodeId) -> String {
    let log = cluster.command(format_args!("rsh {} cat /var/log/xc-dns.log", node.number()));
    format!(
        "the node's server does not run or forward: the overlay network-topology brings it; {log}"
    )
}

/// Against a node's server that answers from before a change on the host.
pub(super) fn node_cache(cluster: &ClusterName, node: NodeId) -> String {
    let restart = format_args!("rsh {} /etc/init.d/25topology.rc start", node.number());
    format!("{} starts the node's server again", cluster.command(restart))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{network_0, node_cache, node_server, proxy, upstreams};
    use crate::ClusterName;
    use crate::tests::id;

    #[test]
    fn remedies_are_for_the_cluster_that_was_walked() {
        let ci: ClusterName = "ci".parse().unwrap();
        let log = Path::new("/l/dns.log");
        let texts = [
            proxy(&ci, log),
            upstreams(&ci),
            network_0(&ci, id(1)),
            node_server(&ci, id(1)),
            node_cache(&ci, id(1)),
        ];
        let texts = texts.join("\n");
        insta::assert_snapshot!(texts, @r"
        `xcbuild stop --cluster=ci`, then `xcbuild start --cluster=ci` brings it back; /l/dns.log says what happened
        `xcbuild stop --cluster=ci`, then `xcbuild start --cluster=ci` has the proxy read /etc/resolv.conf again
        the node does not reach the host on network 0: see `xcbuild rsh --cluster=ci 1 ip route`, `xcbuild link --cluster=ci 1 0`
        the node's server does not run or forward: the overlay network-topology brings it; `xcbuild rsh --cluster=ci 1 cat /var/log/xc-dns.log`
        `xcbuild rsh --cluster=ci 1 /etc/init.d/25topology.rc start` starts the node's server again
        ");
        assert!(!proxy(&ClusterName::default(), log).contains("--cluster"));
    }
}
