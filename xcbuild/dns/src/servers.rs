//! The servers to forward to: which there are, and whom to ask first.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use crate::config::{Config, ForwardOptions, Policy, Timing, Upstreams};
use crate::error::Error;
use crate::exchange;
use crate::resolv_conf;
use crate::watched::Watched;

/// A server, and how to ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether it may get EDNS.
    pub(crate) edns: bool,
}

/// The list and what is known of each.
pub(crate) struct Servers {
    list: Vec<SocketAddr>,
    /// Those of the list that stay when the resolv.conf changes.
    fixed: Vec<SocketAddr>,
    /// The resolv.conf that the rest is from.
    file: Option<Watched>,
    options: ForwardOptions,
    /// Where the turn of [`Policy::RoundRobin`] is.
    turn: usize,
    /// Servers that didn't answer, and until when they are asked last.
    avoid: HashMap<SocketAddr, Instant>,
    /// Servers that answer only without EDNS, and until when they are asked so.
    plain: HashMap<SocketAddr, Instant>,
    /// Our own addresses.
    listening: Vec<SocketAddr>,
    timing: Timing,
}

impl Servers {
    /// Takes or reads the list, with warnings about it. A server given by name that is ourselves
    /// is an error; one in a resolv.conf is left out, unless it is the only one.
    pub(crate) fn open(
        config: &Config,
        listening: Vec<SocketAddr>,
    ) -> Result<(Self, Vec<String>), Error> {
        let (fixed, path) = match &config.upstreams {
            Upstreams::Servers(list) => (list.clone(), None),
            Upstreams::ResolvConf(path) => (config.more_servers.clone(), Some(path)),
        };
        if let Some(own) = fixed.iter().find(|server| is_own(**server, &listening)) {
            return Err(Error::ForwardsToSelf(*own));
        }
        let mut servers = Self {
            list: fixed.clone(),
            fixed,
            file: None,
            options: config.forward,
            turn: 0,
            avoid: HashMap::new(),
            plain: HashMap::new(),
            listening,
            timing: config.timing,
        };
        let Some(path) = path else {
            let missing = servers.list.is_empty().then_some(Error::NoUpstream);
            return missing.map_or(Ok((servers, Vec::new())), Err);
        };
        let (file, text) = Watched::open(path, config.timing.look_at_files);
        servers.file = Some(file);
        let warnings = match text {
            Ok(text) => servers.take_text(&text),
            Err(error) => {
                // Without the file it is as if it were empty (resolv.conf(5)).
                servers.take_text("");
                let asked = servers.describe();
                vec![format!("can't read {}: {error}; forwarding to {asked}", path.display())]
            }
        };
        match resolv_conf_is_only_us(path, &servers) {
            Some(own) => Err(Error::ForwardsToSelf(own)),
            None => Ok((servers, warnings)),
        }
    }

    /// Reads the resolv.conf again if it changed; what to say about that.
    pub(crate) fn reload(&mut self, now: Instant) -> Option<Vec<String>> {
        let text = self.file.as_mut()?.changed(now)?;
        let warnings = self.take_text(&text);
        self.avoid.clear();
        self.plain.clear();
        Some(warnings)
    }

    /// All servers as the policy has them, those to be avoided last.
    pub(crate) fn in_order(&mut self, now: Instant) -> Vec<Peer> {
        self.avoid.retain(|_, until| *until > now);
        self.plain.retain(|_, until| *until > now);
        let mut list = self.list.clone();
        let first = match self.options.policy {
            Policy::Sequential => 0,
            Policy::RoundRobin => self.turn,
            // Whom to ask need not be a secret: any number does where the kernel has none.
            Policy::Random => usize::from_ne_bytes(exchange::random().unwrap_or_default()),
        };
        self.turn = self.turn.wrapping_add(1);
        if !list.is_empty() {
            let length = list.len();
            list.rotate_left(first % length);
        }
        list.sort_by_key(|server| self.avoid.contains_key(server));
        let peer = |address| Peer { address, edns: !self.plain.contains_key(&address) };
        list.into_iter().map(peer).collect()
    }

    /// Notes that a server answers only without EDNS; whether that is new.
    pub(crate) fn note_plain(&mut self, server: SocketAddr, now: Instant) -> bool {
        self.avoid.remove(&server);
        self.plain.insert(server, now + self.timing.plain_for).is_none()
    }

    /// The servers, in the order in which they are named.
    pub(crate) fn list(&self) -> impl Iterator<Item = SocketAddr> {
        self.list.iter().copied()
    }

    /// The servers as they are written.
    pub(crate) fn describe(&self) -> String {
        let servers: Vec<String> = self.list.iter().map(SocketAddr::to_string).collect();
        if servers.is_empty() { "no server".to_string() } else { servers.join(", ") }
    }

    /// Notes who answered and who didn't; those that went bad just now.
    pub(crate) fn note(
        &mut self,
        good: Option<SocketAddr>,
        bad: Vec<SocketAddr>,
        now: Instant,
    ) -> Vec<SocketAddr> {
        if let Some(good) = good {
            self.avoid.remove(&good);
        }
        if self.options.never_avoid {
            return Vec::new();
        }
        let until = now + self.timing.avoid;
        let mut fell: Vec<_> =
            bad.into_iter().filter(|server| self.avoid.insert(*server, until).is_none()).collect();
        fell.dedup();
        fell
    }

    fn take_text(&mut self, text: &str) -> Vec<String> {
        let found = resolv_conf::servers(text);
        let path = self.file.as_ref().map(|file| file.path().display().to_string());
        let path = path.unwrap_or_default();
        if found.is_empty() {
            return self.take_default(&path);
        }
        let (own, list): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|server| is_own(*server, &self.listening));
        self.list = [self.fixed.as_slice(), &list].concat();
        let mut warnings: Vec<String> = own
            .iter()
            .map(|own| format!("{path} names {own}, which is this server itself: left out"))
            .collect();
        if self.list.is_empty() {
            warnings.push(format!(
                "{path} names no server to forward to: every name but our own will fail until it does"
            ));
        }
        warnings
    }

    /// The server of a resolv.conf that names none.
    fn take_default(&mut self, path: &str) -> Vec<String> {
        let default = resolv_conf::DEFAULT;
        if !self.fixed.is_empty() {
            self.list.clone_from(&self.fixed);
            return vec![format!("{path} names no server")];
        }
        let is_own = is_own(default, &self.listening);
        self.list = if is_own { Vec::new() } else { vec![default] };
        vec![match is_own {
            false => format!("{path} names no server: forwarding to {default}, the default"),
            true => format!(
                "{path} names no server, and the default, {default}, is this server itself: every \
                 name but our own will fail until it names one"
            ),
        }]
    }
}

/// The server that a resolv.conf names, if it names only ourselves.
fn resolv_conf_is_only_us(path: &std::path::Path, servers: &Servers) -> Option<SocketAddr> {
    if !servers.list.is_empty() {
        return None;
    }
    resolv_conf::servers(&std::fs::read_to_string(path).ok()?).first().copied()
}

/// Whether a query to `server` would come to one of the addresses we listen on.
fn is_own(server: SocketAddr, listening: &[SocketAddr]) -> bool {
    listening.iter().any(|own| {
        let same_family = own.is_ipv4() == server.is_ipv4();
        let same_port = own.port() == server.port();
        let same_address = own.ip() == server.ip();
        same_port && (same_address || same_family && own.ip().is_unspecified() && is_local(server))
    })
}

/// Whether the address is this machine's: only then can it be bound.
fn is_local(mut address: SocketAddr) -> bool {
    address.set_port(0);
    UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
#[path = "servers_tests.rs"]
mod tests;
