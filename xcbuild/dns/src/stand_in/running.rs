//! What runs: listeners with their chains, and pages; exchanged when the Corefile changes.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::http::{self, Page};
use super::metrics::Metrics;
use super::setup::Setup;
use super::sites::Sites;
use super::source::Source;
use crate::config::{Limits, Sink, Timing};
use crate::error::Error;
use crate::event::{Event, Transport};
use crate::listen::{Bound, bind, serve_tcp, serve_udp, tcp};
use crate::proxy::Proxy;

/// A socket and the pages that are served on it.
pub(super) type BoundPages = (TcpListener, Vec<Page>);

/// A listener and what serves it.
struct Listener {
    address: SocketAddr,
    proxy: Rc<Proxy>,
    tasks: [AbortHandle; 2],
}

/// What runs.
pub(super) struct Running {
    sink: Sink,
    metrics: Rc<Metrics>,
    listeners: Vec<Listener>,
    pages: Vec<AbortHandle>,
}

impl Running {
    /// Serves what is bound.
    pub(super) fn start(
        sink: Sink,
        metrics: Rc<Metrics>,
        setup: &Setup,
        bound: Vec<Bound>,
        pages: Vec<BoundPages>,
    ) -> Self {
        let mut running = Self { sink, metrics, listeners: Vec::new(), pages: Vec::new() };
        running.listen(setup, bound);
        running.serve_pages(pages);
        running
    }

    /// Serves bound sockets.
    fn listen(&mut self, setup: &Setup, bound: Vec<Bound>) {
        for Bound { address, udp, tcp } in bound {
            let chain = setup.chains.iter().find(|(at, _)| *at == address);
            let Some((_, chain)) = chain else { continue };
            let (timing, limits) = (Timing::default(), Limits::default());
            let chain: Rc<Sites> = Rc::clone(chain);
            let proxy = Proxy::new(chain, timing, limits, Arc::clone(&self.sink));
            let tasks = [
                tokio::task::spawn_local(serve_udp(udp, Rc::clone(&proxy))).abort_handle(),
                tokio::task::spawn_local(serve_tcp(tcp, Rc::clone(&proxy))).abort_handle(),
            ];
            self.listeners.push(Listener { address, proxy, tasks });
        }
    }

    fn serve_pages(&mut self, pages: Vec<BoundPages>) {
        for (listener, pages) in pages {
            let served = http::serve(listener, pages, Rc::clone(&self.metrics));
            self.pages.push(tokio::task::spawn_local(served).abort_handle());
        }
    }

    /// Takes the changed Corefile; how often to look from then on. An error is reported.
    pub(super) fn reload(&mut self, source: &Source, port: u16) -> Option<Option<Duration>> {
        match self.try_reload(source, port) {
            Ok(reload) => {
                (self.sink)(&Event::Reloaded("the Corefile".to_owned()));
                Some(reload)
            }
            Err(error) => {
                (self.sink)(&Event::Error(format!(
                    "plugin/reload: Corefile changed but reload failed: {error}"
                )));
                None
            }
        }
    }

    fn try_reload(&mut self, source: &Source, port: u16) -> Result<Option<Duration>, Error> {
        let setup = Setup::open(&source.load()?, port, &self.sink, &self.metrics)?;
        let known = |address: &SocketAddr| self.listeners.iter().any(|l| l.address == *address);
        let mut bound = Vec::new();
        for (address, _) in setup.chains.iter().filter(|(address, _)| !known(address)) {
            bound.extend(bind_reported(*address, &self.sink)?);
        }
        // From here on nothing fails but for the pages.
        self.listeners.retain(|listener| {
            let chain = setup.chains.iter().find(|(at, _)| *at == listener.address);
            match chain {
                Some((_, chain)) => {
                    let chain: Rc<Sites> = Rc::clone(chain);
                    listener.proxy.set_chain(chain);
                }
                None => listener.tasks.iter().for_each(AbortHandle::abort),
            }
            chain.is_some()
        });
        self.listen(&setup, bound);
        self.pages.drain(..).for_each(|page| page.abort());
        self.serve_new_pages(setup.pages);
        Ok(setup.reload)
    }

    /// Serves pages at addresses that may be those of the old ones, which are gone once their tasks
    /// have been dropped.
    fn serve_new_pages(&mut self, addresses: Vec<(SocketAddr, Vec<Page>)>) {
        let (metrics, sink) = (Rc::clone(&self.metrics), Arc::clone(&self.sink));
        let pages = tokio::task::spawn_local(async move {
            tokio::task::yield_now().await;
            let pages = match bind_pages(&addresses) {
                Ok(pages) => pages,
                Err(error) => return sink(&Event::Error(error.to_string())),
            };
            let mut tasks = JoinSet::new();
            for (listener, pages) in pages {
                tasks.spawn_local(http::serve(listener, pages, Rc::clone(&metrics)));
            }
            while tasks.join_next().await.is_some() {}
        });
        self.pages.push(pages.abort_handle());
    }

    /// Takes no more queries and answers those that wait.
    pub(super) async fn stop(self) {
        for listener in &self.listeners {
            listener.tasks.iter().for_each(AbortHandle::abort);
        }
        for listener in &self.listeners {
            // Bounded by the time after which a query gets its SERVFAIL.
            listener.proxy.idle().await;
        }
    }
}

/// Binds the addresses of pages.
pub(super) fn bind_pages(pages: &[(SocketAddr, Vec<Page>)]) -> Result<Vec<BoundPages>, Error> {
    let listener = |(address, pages): &(SocketAddr, Vec<Page>)| {
        let transport = Transport::Tcp;
        let bound = tcp(*address);
        let bound = bound.map_err(|source| Error::Listen { address: *address, transport, source });
        Ok((bound?, pages.clone()))
    };
    pages.iter().map(listener).collect()
}

/// Binds an address; nothing, with a warning, where the machine has no IPv6.
pub(super) fn bind_reported(address: SocketAddr, sink: &Sink) -> Result<Option<Bound>, Error> {
    let bound = bind(address)?;
    if bound.is_none() {
        let warning = format!("not listening on {address}: this machine has no IPv6");
        sink(&Event::Warning(warning));
    }
    Ok(bound)
}
