//! The server: bound first, then run.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime;
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};

use crate::chain::OwnChain;
use crate::config::Config;
use crate::error::Error;
use crate::event::Event;
use crate::listen::{Bound, bind, serve_tcp, serve_udp};
use crate::own_names::OwnNames;
use crate::proxy::Proxy;
use crate::resolver::Resolver;
use crate::servers::Servers;

/// The addresses to bind for `listen`: each once, and none that a wildcard among them includes.
pub fn distinct(listen: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut distinct: Vec<SocketAddr> = Vec::with_capacity(listen.len());
    let includes = |wide: &SocketAddr, address: &SocketAddr| {
        let same_kind = wide.is_ipv4() == address.is_ipv4() && wide.port() == address.port();
        same_kind && wide.ip().is_unspecified() && wide != address && address.port() != 0
    };
    for address in listen {
        // Port 0 takes another port each time.
        let again = distinct.contains(address) && address.port() != 0;
        if !again && !listen.iter().any(|wide| includes(wide, address)) {
            distinct.push(*address);
        }
    }
    distinct
}

/// A DNS server whose sockets are bound: queries sent from now on will be answered once it runs.
pub struct Server {
    config: Config,
    bound: Vec<Bound>,
    names: OwnNames,
    servers: Servers,
    stop: Arc<Notify>,
}

/// Stops a running server from any thread.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<Notify>);

impl Stopper {
    /// Makes [`Server::run`] take no more queries, answer those it has, and return.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

impl Server {
    /// Binds every address and reads every file of `config`.
    ///
    /// IPv6 addresses of the general kind (`::`, `::1`) are left out, with a warning, where the
    /// machine has no IPv6.
    ///
    /// # Errors
    /// A port is taken, an address isn't there, a file can't be read, or the server would forward
    /// to itself.
    pub fn bind(config: Config) -> Result<Self, Error> {
        let mut bound = Vec::with_capacity(config.listen.len());
        for address in distinct(&config.listen) {
            match bind(address)? {
                Some(sockets) => bound.push(sockets),
                None => (config.sink)(&Event::Warning(format!(
                    "not listening on {address}: this machine has no IPv6"
                ))),
            }
        }
        if bound.is_empty() {
            return Err(Error::NothingToListenOn);
        }
        let (names, mut warnings) = OwnNames::open(&config)?;
        let listening = bound.iter().map(|sockets| sockets.address).collect();
        let (servers, more) = Servers::open(&config, listening)?;
        warnings.extend(more);
        for warning in warnings {
            (config.sink)(&Event::Warning(warning));
        }
        Ok(Self { config, bound, names, servers, stop: Arc::default() })
    }

    /// The addresses that are bound, with the ports they got; UDP and TCP each.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|sockets| sockets.address).collect()
    }

    /// The servers that are forwarded to, as text for people.
    pub fn upstreams(&self) -> String {
        self.servers.describe()
    }

    /// A handle to stop the server with.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stop))
    }

    /// Answers queries on this thread until the [`Stopper`] is used.
    ///
    /// # Errors
    /// The event loop can't be set up.
    pub fn run(self) -> Result<(), Error> {
        self.run_until(pending())
    }

    /// As [`Server::run`], and also stops when `end` is done, which runs in a tokio runtime with
    /// I/O and time.
    ///
    /// # Errors
    /// The event loop can't be set up.
    pub fn run_until(self, end: impl Future<Output = ()>) -> Result<(), Error> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Runtime)?;
        LocalSet::new().block_on(&runtime, self.serve(end))
    }

    async fn serve(self, end: impl Future<Output = ()>) -> Result<(), Error> {
        let Self { config, bound, names, servers, stop } = self;
        let (timing, limits, sink) = (config.timing, config.limits, Arc::clone(&config.sink));
        let resolver = Resolver::new(config, servers).map_err(Error::Runtime)?;
        let proxy = Proxy::new(Rc::new(OwnChain::new(names, resolver)), timing, limits, sink);
        let mut listeners = JoinSet::new();
        for Bound { udp, tcp, .. } in bound {
            listeners.spawn_local(serve_udp(udp, proxy.clone()));
            listeners.spawn_local(serve_tcp(tcp, proxy.clone()));
        }
        tokio::select! {
            Some(ended) = listeners.join_next() => {
                // A listener ends only by an error, a panic in it is one of ours: pass both on.
                match ended {
                    Ok(result) => result.map_err(Error::Runtime)?,
                    Err(error) => return Err(Error::Runtime(std::io::Error::other(error))),
                }
            }
            () = stop.notified() => {}
            () = end => {}
        }
        listeners.abort_all();
        // Bounded by the time after which a query gets its SERVFAIL.
        proxy.idle().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_bound_once() {
        for (listen, expected) in [
            ("127.0.0.1:53 [::1]:53 0.0.0.0:53", "[::1]:53 0.0.0.0:53"),
            ("127.0.0.1:53 [::1]:53 [::]:53", "127.0.0.1:53 [::]:53"),
            ("127.0.0.1:53 [::1]:53 0.0.0.0:53 [::]:53", "0.0.0.0:53 [::]:53"),
            ("127.0.0.1:53 127.0.0.1:53", "127.0.0.1:53"),
            ("0.0.0.0:53 0.0.0.0:53 192.0.2.1:53", "0.0.0.0:53"),
            ("127.0.0.1:53 0.0.0.0:54", "127.0.0.1:53 0.0.0.0:54"),
            ("127.0.0.1:0 127.0.0.1:0 0.0.0.0:0", "127.0.0.1:0 127.0.0.1:0 0.0.0.0:0"),
        ] {
            let addresses = |text: &str| -> Vec<SocketAddr> {
                text.split(' ').map(|address| address.parse().unwrap()).collect()
            };
            assert_eq!(distinct(&addresses(listen)), addresses(expected), "{listen}");
        }
    }
}
