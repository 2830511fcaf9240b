//! A server block, ready to answer: its plugins in their order.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::hosts::HostsTable;
use super::zone_files::ZoneFiles;
use super::{log, rewrites, templates};
use crate::chain::{Change, Client, Delivered, Route};
use crate::config::{Config, ForwardOptions, Sink, Upstreams};
use crate::corefile::ServerBlock;
use crate::corefile::plugins::{Acl, Action, Cache, Forward, Plugins};
use crate::error::Error;
use crate::event::{Event, Transport};
use crate::freshness::Generation;
use crate::resolver::Resolver;
use crate::servers::Servers;
use crate::wire::{Answer, Name, Query, Record, Sections, rcode, rtype};

/// Seconds that answers for `ANY` may be kept, as CoreDNS has it: after RFC 8482.
const ANY_TTL: u32 = 8482;
/// Bytes of an answer in the cache, about: CoreDNS counts answers, we count bytes.
const ANSWER_BYTES: usize = 512;

/// What a plugin makes of a query.
pub(super) enum Step {
    Answer(Box<Answer>),
    Next,
}

impl Step {
    pub(super) fn answer(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// A server block.
pub(super) struct Site {
    pub(super) zones: Vec<Name>,
    plugins: Plugins,
    hosts: Option<RefCell<HostsTable>>,
    files: Vec<RefCell<ZoneFiles>>,
    forwards: Vec<(Forward, Rc<Resolver>)>,
    sink: Sink,
}

impl Site {
    /// Reads what the block's plugins name. `listening` are the addresses that it answers on.
    pub(super) fn open(
        block: &ServerBlock,
        listening: &[SocketAddr],
        sink: &Sink,
    ) -> Result<Self, Error> {
        let (zones, plugins) = (block.zones(), block.plugins.clone());
        let warn = |warnings: Vec<String>| {
            warnings.into_iter().for_each(|warning| sink(&Event::Warning(warning)));
        };
        let hosts = plugins.hosts.as_ref().map(|plugin| {
            let (table, warnings) = HostsTable::open(plugin, &zones);
            warn(warnings);
            RefCell::new(table)
        });
        let files = plugins.files.iter();
        let files = files.map(|plugin| ZoneFiles::open(plugin, &zones).map(RefCell::new));
        let files = files.collect::<Result<_, _>>()?;
        let mut forwards = Vec::with_capacity(plugins.forwards.len());
        for forward in &plugins.forwards {
            let config = config(forward, plugins.cache.as_ref(), plugins.errors, sink);
            let (servers, warnings) = Servers::open(&config, listening.to_vec())?;
            warn(warnings);
            let resolver = Resolver::new(config, servers).map_err(Error::Runtime)?;
            forwards.push((forward.clone(), resolver));
        }
        let sink = Arc::clone(sink);
        Ok(Self { zones, plugins, hosts, files, forwards, sink })
    }

    /// Reads again what changed; whether anything did that is not the servers' own.
    pub(super) fn refresh(&self, now: Instant) -> bool {
        let mut changed = false;
        for (_, resolver) in &self.forwards {
            resolver.refresh(now);
        }
        if let Some(warnings) = self.hosts.as_ref().and_then(|table| table.borrow_mut().reload(now))
        {
            changed = true;
            warnings.into_iter().for_each(|warning| (self.sink)(&Event::Warning(warning)));
        }
        for file in &self.files {
            match file.borrow_mut().reload(now) {
                Some(Ok(what)) => {
                    changed = true;
                    (self.sink)(&Event::Reloaded(what));
                }
                Some(Err(error)) => (self.sink)(&Event::Error(error)),
                None => {}
            }
        }
        changed
    }

    /// The generations of all servers, together.
    pub(super) fn generation(&self) -> Generation {
        let all = self.forwards.iter().map(|(_, resolver)| resolver.generation());
        all.fold(0, Generation::wrapping_add)
    }

    /// What becomes of a query.
    pub(super) fn route(&self, query: &Query, client: &Client) -> Route {
        if !self.plugins.handles {
            return Route::Answer(Answer::error(query, rcode::REFUSED));
        }
        match self.acl(query, client.address.ip()) {
            Action::Allow => {}
            Action::Block => return Route::Answer(Answer::error(query, rcode::REFUSED)),
            Action::Filter => return Route::Answer(Answer::error(query, rcode::NOERROR)),
            Action::Drop => return Route::Ignore,
        }
        if self.plugins.any && query.qtype == rtype::ANY {
            return Route::Answer(any(query));
        }
        let change = rewrites::change(&self.plugins.rewrites, query);
        let asked = change.as_ref().and_then(|change| change.query.as_deref());
        if let Step::Answer(answer) = self.local(asked.unwrap_or(query), client) {
            return Route::Answer(back(*answer, change.as_ref(), query));
        }
        let name = &asked.unwrap_or(query).name;
        let takes = |forward: &Forward| {
            let excepted = forward.except.iter().any(|zone| name.is_within(zone));
            name.is_within(&forward.from) && !excepted
        };
        if let Some((_, resolver)) = self.forwards.iter().find(|(forward, _)| takes(forward)) {
            return Route::Resolve(Rc::clone(resolver), change);
        }
        Route::Answer(match self.plugins.whoami {
            true => whoami(query, client),
            false => Answer::error(query, rcode::SERVFAIL),
        })
    }

    fn acl(&self, query: &Query, client: IpAddr) -> Action {
        let for_name = |acl: &&Acl| {
            acl.zones.is_empty() || acl.zones.iter().any(|zone| query.name.is_within(zone))
        };
        let mut actions = self.plugins.acl.iter().filter(for_name);
        let denied = actions.find_map(|acl| {
            Some(acl.action(client, query.qtype)).filter(|action| *action != Action::Allow)
        });
        denied.unwrap_or(Action::Allow)
    }

    /// What the plugins that need nobody else make of a query.
    fn local(&self, query: &Query, client: &Client) -> Step {
        for template in &self.plugins.templates {
            match templates::answer(template, &self.zones, query, client.address.ip()) {
                Ok(Step::Next) => {}
                Ok(answer) => return answer,
                Err(why) => {
                    (self.sink)(&Event::Error(why));
                    return Step::answer(Answer::error(query, rcode::SERVFAIL));
                }
            }
        }
        let hosts = self.hosts.as_ref().map(|table| table.borrow().answer(query));
        if let Some(answer @ Step::Answer(_)) = hosts {
            return answer;
        }
        let files = self.files.iter().map(|file| file.borrow().answer(query));
        files.into_iter().find(|step| matches!(step, Step::Answer(_))).unwrap_or(Step::Next)
    }

    /// Logs an answer.
    pub(super) fn note(&self, delivered: &Delivered<'_>) {
        for line in self.plugins.log.iter().filter_map(|plugin| log::line(plugin, delivered)) {
            (self.sink)(&Event::Line(line));
        }
    }
}

/// The answer to the client's own query.
fn back(answer: Answer, change: Option<&Change>, query: &Query) -> Answer {
    let Some(change) = change else { return answer };
    let changed = change.undo(query, &answer);
    changed.unwrap_or_else(|| Answer::error(query, rcode::SERVFAIL))
}

/// What a resolver is told by `forward` and `cache`.
fn config(forward: &Forward, cache: Option<&Cache>, errors: bool, sink: &Sink) -> Config {
    let upstreams = match &forward.resolv_conf {
        Some(path) => Upstreams::ResolvConf(path.clone()),
        None => Upstreams::Servers(forward.servers.clone()),
    };
    let mut config = Config::new(Vec::new(), upstreams);
    config.more_servers.clone_from(&forward.servers);
    let Forward { policy, force_tcp, never_avoid, .. } = *forward;
    config.forward = ForwardOptions { policy, force_tcp, never_avoid };
    if let Some(most) = forward.max_concurrent {
        config.limits.forwards = most;
    }
    match cache {
        Some(cache) => {
            config.max_ttl = cache.max_ttl;
            config.max_negative_ttl = cache.max_negative_ttl;
            config.stale = cache.stale;
            config.cache_zones.clone_from(&cache.zones);
            config.cache_bytes = cache.capacity.map_or(config.cache_bytes, |n| n * ANSWER_BYTES);
        }
        // Without a cache, TTLs are handed on as they are.
        None => {
            config.max_ttl = i32::MAX as u32;
            config.cache_bytes = 0;
        }
    }
    // `errors` is about what forwarding fails by; without it nobody wants to know.
    if errors {
        config.sink = Arc::clone(sink);
    } else {
        let all = Arc::clone(sink);
        config.sink = Arc::new(move |event| {
            if !matches!(event, Event::Warning(_)) {
                all(event);
            }
        });
    }
    config
}

/// As RFC 8482 section 4.2 has it.
fn any(query: &Query) -> Answer {
    // CPU and operating system, each with its length.
    let data = b"\x0dANY obsoleted\x0cSee RFC 8482".to_vec();
    let record = Record { name: query.name.clone(), rtype: rtype::HINFO, ttl: ANY_TTL, data };
    let sections = Sections { answers: vec![record], ..Sections::default() };
    Answer::compose(query, rcode::NOERROR, true, &sections)
}

/// The client's address and port, as additional records.
fn whoami(query: &Query, client: &Client) -> Answer {
    let address = match client.address.ip().to_canonical() {
        IpAddr::V4(address) => (rtype::A, address.octets().to_vec()),
        IpAddr::V6(address) => (rtype::AAAA, address.octets().to_vec()),
    };
    let transport = match client.transport {
        Transport::Udp => b"\x04_udp",
        Transport::Tcp => b"\x04_tcp",
    };
    let service = [transport.as_slice(), query.name.wire()].concat();
    let port = client.address.port().to_be_bytes();
    // Priority, weight, port, and the root as target.
    let data = [[0, 0, 0, 0].as_slice(), &port, &[0]].concat();
    let record = |name, rtype, data| Record { name, rtype, ttl: 0, data };
    let mut additionals = vec![record(query.name.clone(), address.0, address.1)];
    if service.len() <= Name::MAX {
        additionals.push(record(Name::from_wire(service), rtype::SRV, data));
    }
    Answer::compose(query, rcode::NOERROR, true, &Sections { additionals, ..Sections::default() })
}
