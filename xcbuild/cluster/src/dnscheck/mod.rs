//! The way of a name, walked step by step from the host's resolver to a node, to find the step that
//! fails. It is the list that users go through by hand.
//!
//! | step | what is tried |
//! |---|---|
//! | resolver | the servers that the proxy asks: there are some, and not on a loopback that it can't reach |
//! | upstream | each of them answers us |
//! | proxy | the proxy answers on its port: UDP and TCP, IPv4 and IPv6 |
//! | forwarding | through the proxy, the outside is known |
//! | NAT | with `netns`, the namespace's rules are there |
//! | node to proxy | a node asks the proxy directly, over IPv4 and IPv6 |
//! | node's server | the node's own server answers, and knows the outside |
//!
//! Each step relies on those before it; all are tried, since what works tells as much.

mod ask;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, bail};
use serde::Serialize;

use self::ask::{By, ask};
use super::access::Target;
use super::check::Verdict;
use super::state::State;
use super::{RunDir, Status, status};
use xc_net::Kind;
use xc_sys::exec::Exec;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, Prefix, ipv4, ipv6};

/// What says which servers there are.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Where nft is; the `PATH` of a user often lacks it.
const PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";
/// The table in the cluster's namespace that masquerades nodes.
const CLUSTER_TABLE: &str = "xcbuild";
const DNS_PORT: u16 = 53;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was tried.
    pub step: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do about it, if it failed.
    pub remedy: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Names {
    /// A name that the proxy knows itself.
    pub own: String,
    /// A name that its servers know; `.` asks who serves the root.
    pub outside: String,
}

/// Walks the way in the namespace that this process is in.
///
/// # Errors
/// When the cluster does not run.
pub fn walk(run: &RunDir, prefix: &Prefix, names: &Names) -> Result<Vec<Step>> {
    let now = status(run)?;
    let Some(state) = State::load(run)?.filter(|_| now.exists) else {
        bail!(run.name().not_running());
    };
    let mut walk = Walk { run, state: &state, now: &now, prefix, names, steps: Vec::new() };
    walk.upstreams();
    walk.proxy();
    walk.translation();
    walk.node();
    Ok(walk.steps)
}

/// The host's rule for a namespace, seen from the host: its veth's network is masqueraded.
///
/// # Errors
/// When nft can't be run.
pub fn host_rule(index: &str) -> Step {
    let table = format!("xcluster{index}");
    let mut step = table_step("NAT on the host", &table, &[]);
    if step.verdict == Verdict::Failed {
        let remake = format!("`sudo -E xcbuild nsdel {index}; sudo -E xcbuild nsadd {index}`");
        step.remedy = Some(format!("{remake} makes it anew"));
    }
    step
}

struct Walk<'a> {
    run: &'a RunDir,
    state: &'a State,
    now: &'a Status,
    prefix: &'a Prefix,
    names: &'a Names,
    steps: Vec<Step>,
}

impl Walk<'_> {
    fn step(&mut self, step: impl Into<String>, seen: Result<String, String>, remedy: &str) {
        let (verdict, seen, remedy) = match seen {
            Ok(seen) => (Verdict::Ok, seen, None),
            Err(seen) => (Verdict::Failed, seen, Some(remedy.to_owned())),
        };
        self.steps.push(Step { step: step.into(), verdict, seen, remedy });
    }

    fn skip(&mut self, step: &str, why: &str) {
        let (step, seen) = (step.to_owned(), why.to_owned());
        self.steps.push(Step { step, verdict: Verdict::Skipped, seen, remedy: None });
    }

    fn upstreams(&mut self) {
        let servers = self.servers();
        let foreign = self.state.network.kind() == Kind::Netns;
        let loopback = servers.iter().find(|s| foreign && s.ip().is_loopback());
        let shown: Vec<_> = servers.iter().map(ToString::to_string).collect();
        let seen = match (servers.is_empty(), loopback) {
            (true, _) => Err(format!("{RESOLV_CONF} names no server")),
            (_, Some(own)) => {
                Err(format!("{own} is the host's loopback, which the namespace can't reach"))
            }
            _ => Ok(shown.join(", ")),
        };
        let remedy = "name the network's real servers in /etc/resolv.conf, or start the cluster \
                      with --dns-upstream=ADDRESS";
        self.step("resolver", seen, remedy);
        for server in servers {
            let seen = ask(server, &self.names.outside, By::Udp).map(|()| "it answers".into());
            let remedy = "the host's own name service does not work; see to that first";
            self.step(format!("upstream {server}"), seen, remedy);
        }
    }

    /// The servers that the proxy asks.
    fn servers(&self) -> Vec<SocketAddr> {
        match &self.state.dns {
            Some(dns) if !dns.service.upstreams.is_empty() => dns.service.upstreams.clone(),
            _ => servers_in(&fs_err::read_to_string(RESOLV_CONF).unwrap_or_default()),
        }
    }

    fn proxy(&mut self) {
        let port = self.state.net.dns_port;
        let log = self.state.logs.join("dns.log");
        let remedy = format!(
            "`xcbuild stop`, then start anew, brings it back; {} says what happened",
            log.display()
        );
        if self.now.dns != Some(true) {
            let why = if self.now.dns.is_none() { "the cluster has none" } else { "it has ended" };
            self.step("proxy", Err(why.into()), &remedy);
        }
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let server = SocketAddr::new(ip, port);
            for (by, word) in [(By::Udp, "UDP"), (By::Tcp, "TCP")] {
                let seen = ask(server, &self.names.own, by);
                let seen = seen.map(|()| format!("it knows {}", self.names.own));
                self.step(format!("proxy {server} {word}"), seen, &remedy);
            }
        }
        let server = (Ipv4Addr::LOCALHOST, port).into();
        let seen = ask(server, &self.names.outside, By::Udp);
        let remedy = format!("none of its servers answers it: see above, and {}", log.display());
        let seen = seen.map(|()| format!("it knows `{}`", self.names.outside));
        self.step("forwarding", seen, &remedy);
    }

    /// In a namespace of `nsadd`, what leads out of it.
    fn translation(&mut self) {
        if self.state.network.kind() != Kind::Netns {
            return;
        }
        let mut step =
            table_step("NAT in the namespace", CLUSTER_TABLE, &self.state.network.reach());
        if step.verdict == Verdict::Failed {
            step.remedy = Some("`xcbuild nsdel` and `nsadd` make the namespace anew".into());
        }
        self.steps.push(step);
    }

    fn node(&mut self) {
        let target = match Target::all(self.run) {
            Ok(all) => all.into_iter().next(),
            Err(_) => None,
        };
        let Some(target) = target else {
            return self.skip("node", "none runs");
        };
        let port = self.state.net.dns_port;
        let host = ipv4(MAINTENANCE, HOST_BYTE);
        let host6 = ipv6(self.prefix, MAINTENANCE, HOST_BYTE);
        let name = &self.names.own.clone();
        let node = target.node;
        for server in [format!("{host}:{port}"), format!("[{host6}]:{port}")] {
            let seen = from_node(&target, name, &server);
            let remedy = format!(
                "the node does not reach the host on network 0: see `xcbuild rsh {} ip route`, \
                 `xcbuild link {} 0`",
                node.number(),
                node.number()
            );
            self.step(format!("{node} to the proxy, {server}"), seen, &remedy);
        }
        let remedy = format!(
            "the node's server does not run or forward: the overlay network-topology brings it; \
             `xcbuild rsh {} cat /var/log/xc-dns.log`",
            node.number()
        );
        for name in [name.clone(), self.names.outside.clone()] {
            let seen = from_node(&target, &name, "127.0.0.1");
            self.step(format!("{node}'s own server, `{name}`"), seen, &remedy);
        }
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

/// Whether a table of ours is there and masquerades.
fn table_step(step: &str, table: &str, reach: &[String]) -> Step {
    let nft = ["nft", "list", "table", "inet", table].map(ToOwned::to_owned);
    let words = [reach, &nft].concat();
    let done = words
        .split_first()
        .map(|(program, args)| Exec::new(program).env("PATH", PATH).args(args).complete());
    let (verdict, seen) = match done {
        Some(Ok((status, output))) if status.success() => {
            let rules = String::from_utf8_lossy(&output.stdout).into_owned();
            match rules.contains("masquerade") {
                true => (Verdict::Ok, format!("table inet {table} masquerades")),
                false => (Verdict::Failed, format!("table inet {table} does not masquerade")),
            }
        }
        Some(Ok((_, output))) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if why.contains("not permitted") {
                (Verdict::Skipped, "only root may look at the rules".into())
            } else {
                let why = why.lines().next().unwrap_or_default();
                (Verdict::Failed, format!("there is no table inet {table}: {why}"))
            }
        }
        Some(Err(e)) => (Verdict::Skipped, e.to_string()),
        None => (Verdict::Skipped, "nothing to run".into()),
    };
    Step { step: step.into(), verdict, seen, remedy: None }
}

/// The servers that a resolv.conf names.
fn servers_in(text: &str) -> Vec<SocketAddr> {
    let words = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    words.filter_map(|rest| address(rest.split_whitespace().next()?)).collect()
}

fn address(text: &str) -> Option<SocketAddr> {
    let ip = || Some(SocketAddr::new(text.parse().ok()?, DNS_PORT));
    text.parse().ok().or_else(ip)
}

#[cfg(test)]
mod tests {
    use super::servers_in;

    #[test]
    fn servers_are_found_in_a_resolv_conf() {
        let text = "search a\nnameserver 192.0.2.1\n# nameserver 192.0.2.9\nnameserver ::1 x\n";
        let found: Vec<_> = servers_in(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[::1]:53"]);
    }
}
