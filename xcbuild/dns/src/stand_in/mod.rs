//! A stand-in for CoreDNS: a server that does what a Corefile says, as far as a forwarder can.
//!
//! ```text
//!  Corefile --> addresses      where the blocks listen
//!                   v
//!  query ----> sites           the block with the most specific zone
//!                   v
//!              site            its plugins, in CoreDNS's order:
//!                              acl, any, rewrite, template, hosts, file, forward with its cache, whoami
//!                   v
//!              log, metrics
//! ```
//! With the plugin `reload` the Corefile is followed: sockets of addresses that stay are kept, with
//! the queries that wait; an error changes nothing.
//!
//! What differs from CoreDNS: only forwarded answers are in the cache; rewritten names are always
//! changed back in answers; a zone file is read again whenever it changes, not only with its serial.

mod addresses;
mod hosts;
mod http;
mod log;
mod metrics;
mod rewrites;
mod running;
mod setup;
mod site;
mod sites;
mod source;
mod templates;
mod zone_files;

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::task::LocalSet;

use self::metrics::Metrics;
use self::running::{BoundPages, Running, bind_pages, bind_reported};
use self::setup::Setup;
pub use self::source::Source;
use crate::config::Sink;
use crate::error::Error;
use crate::listen::Bound;
use crate::watched::Watched;

/// What the program says of itself as CoreDNS. Whoever looks for a real one knows a stand-in by it,
/// also an older one: it must not change.
pub const STAND_IN: &str = "a stand-in for CoreDNS by xcbuild";

/// A server whose sockets are bound.
pub struct StandIn {
    source: Source,
    port: u16,
    sink: Sink,
    metrics: Rc<Metrics>,
    setup: Setup,
    bound: Vec<Bound>,
    pages: Vec<BoundPages>,
}

impl StandIn {
    /// Reads the Corefile and binds what it says. `port` is that of keys without one.
    ///
    /// # Errors
    /// The Corefile or a file that it names can't be understood, or an address can't be bound.
    pub fn bind(source: Source, port: u16, sink: Sink) -> Result<Self, Error> {
        let metrics = Rc::new(Metrics::default());
        let setup = Setup::open(&source.load()?, port, &sink, &metrics)?;
        let mut bound = Vec::with_capacity(setup.chains.len());
        for (address, _) in &setup.chains {
            bound.extend(bind_reported(*address, &sink)?);
        }
        if bound.is_empty() {
            return Err(Error::NothingToListenOn);
        }
        let pages = bind_pages(&setup.pages)?;
        Ok(Self { source, port, sink, metrics, setup, bound, pages })
    }

    /// `ZONE:PORT` of all that is served, as CoreDNS lists it at its start.
    pub fn served(&self) -> &[String] {
        &self.setup.served
    }

    /// The addresses that are bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|bound| bound.address).collect()
    }

    /// Answers queries on this thread until `end` is done, which runs in a tokio runtime with I/O and
    /// time.
    ///
    /// # Errors
    /// The event loop can't be set up.
    pub fn run_until(self, end: impl Future<Output = ()>) -> Result<(), Error> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Runtime)?;
        LocalSet::new().block_on(&runtime, self.serve(end));
        Ok(())
    }

    async fn serve(self, end: impl Future<Output = ()>) {
        let Self { source, port, sink, metrics, setup, bound, pages } = self;
        let reload = setup.reload;
        let mut running = Running::start(sink, metrics, &setup, bound, pages);
        let mut follower = source.path().zip(reload).map(|(path, interval)| {
            let (watched, _) = Watched::open(path, Duration::ZERO);
            (watched, interval)
        });
        tokio::pin!(end);
        loop {
            let pause = follower.as_ref().map(|(_, interval)| *interval);
            tokio::select! {
                () = &mut end => break,
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
            if let Some((watched, interval)) = &mut follower
                && watched.changed(Instant::now()).is_some()
                && let Some(new) = running.reload(&source, port)
            {
                // Without the plugin it is followed no more.
                *interval = new.unwrap_or(Duration::MAX);
            }
        }
        running.stop().await;
    }
}
