//! What a server is told.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;
use crate::wire::Name;

/// Takes what the server has to say; called on the server's thread, so it must not block for long.
pub type Sink = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Where queries go that we can't answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstreams {
    /// These servers, the first preferred.
    Servers(Vec<SocketAddr>),
    /// The `nameserver` lines of a resolv.conf, read again when the file changes.
    ResolvConf(PathBuf),
}

/// The whole configuration of a [`Server`](crate::Server).
#[derive(Clone)]
pub struct Config {
    /// Addresses to answer on, UDP and TCP each. A wildcard answers from the address that was
    /// asked; port 0 takes a free port, the same for both.
    pub listen: Vec<SocketAddr>,
    /// Where to forward.
    pub upstreams: Upstreams,
    /// Hosts files whose names are answered from them, read again when they change.
    pub hosts: Vec<PathBuf>,
    /// Names of our own, beside those of the hosts files.
    pub names: Vec<(Name, IpAddr)>,
    /// A zone of our own: bare names of the hosts files are known in it too, and what isn't known
    /// in it doesn't exist. Never forwarded.
    pub zone: Option<Name>,
    /// Servers before those of the resolv.conf.
    pub more_servers: Vec<SocketAddr>,
    /// How servers are asked.
    pub forward: ForwardOptions,
    /// Only answers for names below these are kept; all for none.
    pub cache_zones: Vec<Name>,
    /// Bytes of answers kept, about. 0 for no cache.
    pub cache_bytes: usize,
    /// The longest that an answer is kept, and the largest TTL handed on, in seconds.
    pub max_ttl: u32,
    /// The longest that "no such name" is kept, in seconds.
    pub max_negative_ttl: u32,
    /// How long past its time an answer may still be used when no server answers.
    pub stale: Duration,
    /// How long things may take.
    pub timing: Timing,
    /// How much at once.
    pub limits: Limits,
    /// Where the query log and warnings go.
    pub sink: Sink,
}

/// How servers are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForwardOptions {
    /// Whom first.
    pub policy: Policy,
    /// Never by UDP.
    pub force_tcp: bool,
    /// A silent server keeps its place.
    pub never_avoid: bool,
}

/// Which server is asked first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// The first that is named.
    #[default]
    Sequential,
    /// Any.
    Random,
    /// Each in turn.
    RoundRobin,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// When a server hasn't answered for so long, the next is asked as well.
    pub next_server: Duration,
    /// When a server hasn't answered for so long, it is asked once more without EDNS.
    pub plain_after: Duration,
    /// A server that answers only without EDNS is asked without for so long.
    pub plain_for: Duration,
    /// When nobody has answered for so long, the client gets SERVFAIL.
    pub give_up: Duration,
    /// A server that didn't answer is asked last for so long.
    pub avoid: Duration,
    /// When nobody has answered for so long, a stale answer is taken where there is one.
    pub stale_after: Duration,
    /// How often files are looked at for changes, at most.
    pub look_at_files: Duration,
    /// How long the cache answers before a server that is a proxy of ours is asked whether it
    /// still counts. A change of the host's resolv.conf reaches a node within both together.
    pub confirm: Duration,
    /// How long such a server may be silent until the cache answers.
    pub confirm_wait: Duration,
    /// A TCP client that says nothing for so long is hung up on.
    pub tcp_idle: Duration,
}

/// How much at once. What is over is answered SERVFAIL (queries) or hung up on (TCP).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Different questions being forwarded.
    pub forwards: usize,
    /// Queries waiting for an answer.
    pub waiting: usize,
    /// TCP clients.
    pub tcp_clients: usize,
}

impl Config {
    /// The usual configuration: answers kept for up to 3000 s in 4 MiB, nothing stale, no own
    /// names, nothing logged.
    pub fn new(listen: Vec<SocketAddr>, upstreams: Upstreams) -> Self {
        Self {
            listen,
            upstreams,
            hosts: Vec::new(),
            names: Vec::new(),
            zone: None,
            more_servers: Vec::new(),
            forward: ForwardOptions::default(),
            cache_zones: Vec::new(),
            cache_bytes: 4 << 20,
            max_ttl: 3000,
            max_negative_ttl: 300,
            stale: Duration::ZERO,
            timing: Timing::default(),
            limits: Limits::default(),
            sink: Arc::new(|_| {}),
        }
    }
}

impl Default for Timing {
    /// SERVFAIL comes well within the 3 s after which the C library's resolver gets nervous
    /// (it asks again after 5 s).
    fn default() -> Self {
        Self {
            next_server: Duration::from_millis(400),
            plain_after: Duration::from_millis(800),
            plain_for: Duration::from_secs(15 * 60),
            give_up: Duration::from_millis(2500),
            avoid: Duration::from_secs(10),
            stale_after: Duration::from_millis(1800),
            look_at_files: Duration::from_millis(250),
            confirm: Duration::from_millis(500),
            confirm_wait: Duration::from_millis(300),
            tcp_idle: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    /// Fits the usual limit of 1024 open files: a forward holds up to four sockets.
    fn default() -> Self {
        Self { forwards: 200, waiting: 2000, tcp_clients: 128 }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("upstreams", &self.upstreams)
            .finish_non_exhaustive()
    }
}
