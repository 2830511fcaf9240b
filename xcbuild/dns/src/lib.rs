//! A forwarding, caching DNS proxy for the host and the nodes of a cluster.
//!
//! # What it is
//! Clients in a cluster ask it by UDP or TCP, over IPv4 or IPv6. It answers names of its own
//! (hosts files, the cluster's zone) and what it has in its cache, and asks the servers of a
//! resolv.conf, or given ones, for the rest. The host runs it as a library on port 10053, every
//! node as a small static program (`main.rs`) on port 53. The same program stands in for CoreDNS where
//! an overlay brings a Corefile and no CoreDNS: see [`corefile`] and [`stand_in`].
//!
//! # What it is not
//! No recursive resolver: it asks servers that are. No validator: DNSSEC records and the DO, AD
//! and CD bits pass through it. No zone transfers, updates or encrypted transports.
//!
//! # Why an own one
//! `hickory-server` with its forwarder was tried: 2.1 MB static, a dead server answered after
//! 6 s, queries without RD refused, stale answers and shared questions not to be had. A proxy has
//! to see to just these, and for the rest hand on what it gets, so messages stay bytes here (see
//! [`wire`]) and are never decoded into records and encoded again. What is left of a DNS library
//! then are names and a header. `hickory-proto` is the judge in the tests. References: RFC 1035,
//! 2181, 2308 (negative answers), 5452 (forged ones), 5625 (proxies), 6891 (EDNS), 7766 (TCP),
//! 8767 (stale answers).
//!
//! # The way of a query
//! ```text
//!  listen::udp  \                   own_names     hosts files, zone
//!                > proxy -- chain <
//!  listen::tcp  /    |              stand_in      a Corefile's plugins
//!                    v
//!                resolver         cache: TTLs lowered by age
//!                    v
//!                forwarder        equal questions share one, answers go to the cache
//!                    v
//!                 forward ----> exchange, exchange, ...   next server when one is slow or fails
//!                    ^
//!                 servers       order, who was silent, resolv.conf read again when it changes
//! ```
//! All on one thread: state needs no locks, and an answer from the cache is one receive and one
//! send.

pub mod config;
pub mod corefile;
pub mod error;
pub mod event;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod hosts;
pub mod port_owner;
pub mod resolv_conf;
pub mod server;
pub mod stand_in;

mod cache;
mod chain;
mod exchange;
mod forward;
mod forwarder;
mod freshness;
mod listen;
mod names;
mod own_names;
mod own_state;
mod place;
mod proxy;
mod resolver;
mod servers;
mod watched;
mod wire;
mod zone_file;

pub use config::{Config, Limits, Sink, Timing, Upstreams};
pub use error::Error;
pub use event::{Event, QueryRecord, Source, Transport};
pub use server::{Server, Stopper};
pub use stand_in::{STAND_IN, StandIn};
pub use wire::{Name, NameError};
