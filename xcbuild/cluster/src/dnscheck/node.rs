//! The steps from a node on.

use std::net::Ipv4Addr;

use super::ask::texts;
use super::{NO_IPV6, Walk, remedy};
use crate::access::Target;
use xc_sys::exec::Exec;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, ipv4, ipv6};

/// The name by which our servers tell their generations.
const GENERATION: &str = "generation.xc-dns";

impl Walk<'_> {
    pub(super) fn node(&mut self) {
        let target = match Target::all(self.cluster.run()) {
            Ok(all) => all.into_iter().next(),
            Err(_) => None,
        };
        let Some(target) = target else {
            return self.skip("node", "none runs");
        };
        let port = self.cluster.state().net.dns_port;
        let host = ipv4(MAINTENANCE, HOST_BYTE);
        let host6 = ipv6(self.prefix, MAINTENANCE, HOST_BYTE);
        let name = &self.names.own.clone();
        let node = target.node;
        for (server, is_ipv6) in
            [(format!("{host}:{port}"), false), (format!("[{host6}]:{port}"), true)]
        {
            if is_ipv6 && !self.ipv6 {
                self.skip(format!("{node} to the proxy, {server}"), NO_IPV6);
                continue;
            }
            let seen = from_node(&target, name, &server);
            let remedy = remedy::network_0(self.cluster.name(), node);
            self.step(format!("{node} to the proxy, {server}"), seen, &remedy);
        }
        let remedy = remedy::node_server(self.cluster.name(), node);
        for name in [name.clone(), self.names.outside.clone()] {
            let seen = from_node(&target, &name, "127.0.0.1");
            self.step(format!("{node}'s own server, `{name}`"), seen, &remedy);
        }
        self.node_cache(&target);
    }

    /// Whether the node's server has heard of the proxy as it is now, so that it answers nothing
    /// from before. It was asked for a name of the outside just before.
    fn node_cache(&mut self, target: &Target) {
        let step = format!("{}'s cache", target.node);
        let proxy = (Ipv4Addr::LOCALHOST, self.cluster.state().net.dns_port).into();
        let Some(now) = texts(proxy, GENERATION).ok().and_then(|strings| strings.first().cloned())
        else {
            return self.skip(step, "the host's server has no generations");
        };
        let words = Exec::new(GENERATION).line();
        let script = format!("busybox nslookup -type=txt {words} 127.0.0.1 2>&1");
        let said = target.capture(&[script]).map(|(_, output)| output.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        // "GENERATION SERVER", of each server that has one.
        let heard: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_once('"')?.1.split_once(' '))
            .map(|(generation, _)| generation)
            .collect();
        let seen = match heard.as_slice() {
            [] => return self.skip(step, "the node's server has heard of none"),
            heard if heard.iter().all(|generation| *generation == now) => {
                Ok("it is the proxy's as it is now".into())
            }
            _ => Err("it is from before a change on the host".into()),
        };
        let remedy = remedy::node_cache(self.cluster.name(), target.node);
        self.step(step, seen, &remedy);
    }
}

/// A question of a node's; busybox's nslookup takes a server's port, others don't.
fn from_node(target: &Target, name: &str, server: &str) -> Result<String, String> {
    let kind = if name == "." { "-type=ns " } else { "" };
    let words = Exec::new(name).line();
    // Of several answers, those of the types that the name has not are said to have failed.
    let script = format!("busybox nslookup {kind}{words} '{server}' 2>&1");
    let (status, output) = target.capture(&[script]).map_err(|e| format!("{e:#}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if status.code() == Some(255) && said.is_empty() {
        return Err("ssh can't reach the node".into());
    }
    let known = said.contains("Name:") || said.contains("nameserver = ");
    if known || said.contains("NXDOMAIN") && name != "." {
        return Ok("it answers".into());
    }
    let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("nothing was said");
    Err(last.trim().to_owned())
}
