//! Counters, in the text format of Prometheus, by CoreDNS's names as far as there is something to
//! count.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::chain::Delivered;
use crate::event::Source;
use crate::wire::{rcode, rtype};

/// Series of one counter, at most: names are not among the labels, but types are the clients'.
const MAX_SERIES: usize = 1000;

/// A counter and what it counts.
struct Counter {
    name: &'static str,
    help: &'static str,
}

const REQUESTS: Counter =
    Counter { name: "coredns_dns_requests_total", help: "Counter of DNS requests made." };
const RESPONSES: Counter =
    Counter { name: "coredns_dns_responses_total", help: "Counter of response status codes." };
const CACHE_HITS: Counter =
    Counter { name: "coredns_cache_hits_total", help: "The count of cache hits." };
const CACHE_MISSES: Counter =
    Counter { name: "coredns_cache_misses_total", help: "The count of cache misses." };
const FORWARDED: Counter = Counter {
    name: "coredns_forward_responses_total",
    help: "Counter of responses received per upstream.",
};
const COUNTERS: [Counter; 5] = [REQUESTS, RESPONSES, CACHE_HITS, CACHE_MISSES, FORWARDED];

/// All counters of a server.
#[derive(Default)]
pub(super) struct Metrics {
    /// Counts by the counter's name and its labels.
    counts: RefCell<BTreeMap<(&'static str, String), u64>>,
}

impl Metrics {
    /// Counts an answer.
    pub(super) fn note(&self, server: &str, zone: &str, delivered: &Delivered<'_>) {
        let client = delivered.client;
        let family = if client.address.is_ipv4() { 1 } else { 2 };
        let (proto, qtype) = (client.transport, rtype::name(delivered.query.qtype));
        let here = format!("server=\"{server}\"");
        self.add(
            &REQUESTS,
            format!(
                "family=\"{family}\",proto=\"{proto}\",{here},type=\"{qtype}\",zone=\"{zone}\""
            ),
        );
        let rcode = rcode::name(delivered.rcode);
        self.add(&RESPONSES, format!("rcode=\"{rcode}\",{here},zone=\"{zone}\""));
        match delivered.source {
            Source::Cache | Source::Stale => self.add(&CACHE_HITS, here),
            Source::Forward(to) => {
                self.add(&CACHE_MISSES, here);
                self.add(&FORWARDED, format!("rcode=\"{rcode}\",to=\"{to}\""));
            }
            Source::Failed | Source::Busy => self.add(&CACHE_MISSES, here),
            Source::Local | Source::Circle => {}
        }
    }

    /// Counts a message that isn't a query that can be answered.
    pub(super) fn note_rejected(&self, server: &str, rcode: u16) {
        let rcode = rcode::name(rcode);
        self.add(&RESPONSES, format!("rcode=\"{rcode}\",server=\"{server}\",zone=\"dropped\""));
    }

    fn add(&self, counter: &Counter, labels: String) {
        let mut counts = self.counts.borrow_mut();
        let room = counts.len() < MAX_SERIES * COUNTERS.len();
        match counts.get_mut(&(counter.name, labels.clone())) {
            Some(count) => *count += 1,
            None if room => drop(counts.insert((counter.name, labels), 1)),
            None => {}
        }
    }

    /// All of it as text.
    pub(super) fn text(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let mut text = format!(
            "# HELP coredns_build_info A metric with a constant '1' value.\n\
             # TYPE coredns_build_info gauge\n\
             coredns_build_info{{version=\"xc-dns {version}\"}} 1\n"
        );
        let counts = self.counts.borrow();
        for Counter { name, help } in COUNTERS {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n");
            for ((_, labels), count) in counts.iter().filter(|((counter, _), _)| *counter == name) {
                let _ = writeln!(text, "{name}{{{labels}}} {count}");
            }
        }
        text
    }
}
