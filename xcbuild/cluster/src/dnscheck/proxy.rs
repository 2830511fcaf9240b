//! The steps on the host: its resolver, the servers, and the proxy.

use crate::network::DnsListener;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use xc_dns::resolv_conf::effective_servers;

use super::ask::{By, ask, texts};
use super::{NO_IPV6, Walk, remedy};

/// What says which servers there are.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The name by which our proxy tells its servers.
const UPSTREAMS: &str = "upstreams.xc-dns";
/// Within this time the proxy follows a change of resolv.conf.
const FOLLOWED: Duration = Duration::from_secs(1);
/// Between two questions about that.
const POLL: Duration = Duration::from_millis(100);

impl Walk<'_> {
    pub(super) fn upstreams(&mut self) {
        let servers = self.servers();
        let foreign = self.cluster.state().network.dns_listener() == DnsListener::Namespace;
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
        let others = servers.iter().any(SocketAddr::is_ipv4);
        for server in servers {
            let step = format!("upstream {server}");
            match (server.is_ipv6() && !self.ipv6, others) {
                (true, true) => {
                    self.skip(step, NO_IPV6);
                    continue;
                }
                (true, false) => {
                    let remedy = "name a server with an IPv4 address in /etc/resolv.conf, start \
                                  the cluster with --dns-upstream=ADDRESS, or switch IPv6 on";
                    self.step(step, Err(NO_IPV6.into()), remedy);
                    continue;
                }
                (false, _) => {}
            }
            let seen = ask(server, &self.names.outside, By::Udp).map(|()| "it answers".into());
            let remedy = "the host's own name service does not work; see to that first";
            self.step(step, seen, remedy);
        }
    }

    /// The servers that the proxy asks.
    fn servers(&self) -> Vec<SocketAddr> {
        match &self.cluster.state().dns {
            Some(dns) if !dns.service.upstreams.is_empty() => dns.service.upstreams.clone(),
            _ => effective_servers(&fs_err::read_to_string(RESOLV_CONF).unwrap_or_default()),
        }
    }

    pub(super) fn proxy(&mut self) {
        let port = self.cluster.state().net.dns_port;
        let log = self.cluster.state().logs.join("dns.log");
        let remedy = remedy::proxy(self.cluster.name(), &log);
        let runs = self.cluster.status().dns;
        if runs != Some(true) {
            let why = if runs.is_none() { "the cluster has none" } else { "it has ended" };
            self.step("proxy", Err(why.into()), &remedy);
        }
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let server = SocketAddr::new(ip, port);
            if ip.is_ipv6() && !self.ipv6 {
                self.skip(format!("proxy {server}"), NO_IPV6);
                continue;
            }
            for (by, word) in [(By::Udp, "UDP"), (By::Tcp, "TCP")] {
                let seen = ask(server, &self.names.own, by);
                let seen = seen.map(|()| format!("it knows {}", self.names.own));
                self.step(format!("proxy {server} {word}"), seen, &remedy);
            }
        }
        let server = (Ipv4Addr::LOCALHOST, port).into();
        self.followed(server);
        let seen = ask(server, &self.names.outside, By::Udp);
        let remedy = format!("none of its servers answers it: see above, and {}", log.display());
        let seen = seen.map(|()| format!("it knows `{}`", self.names.outside));
        self.step("forwarding", seen, &remedy);
    }

    /// Whether the proxy asks the servers that it should by now: it follows a change of resolv.conf
    /// within a second.
    fn followed(&mut self, proxy: SocketAddr) {
        const STEP: &str = "proxy's servers";
        let until = Instant::now() + FOLLOWED;
        loop {
            let wanted = self.servers();
            let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            match texts(proxy, UPSTREAMS) {
                Ok(asked) if asked == wanted => {
                    return self.step(STEP, Ok("they are the resolver's".into()), "");
                }
                Ok(asked) if Instant::now() >= until => {
                    let seen = format!(
                        "the proxy asks {}, the resolver {}",
                        listed(&asked),
                        listed(&wanted)
                    );
                    let remedy = remedy::upstreams(self.cluster.name());
                    return self.step(STEP, Err(seen), &remedy);
                }
                Ok(_) => std::thread::sleep(POLL),
                // A CoreDNS, or a server that was there before the cluster.
                Err(_) => return self.skip(STEP, "the server does not tell them"),
            }
        }
    }
}

fn listed(servers: &[String]) -> String {
    if servers.is_empty() { "none".into() } else { servers.join(", ") }
}
