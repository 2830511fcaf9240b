//! What a server says of itself, as TXT records of names that nobody else has.
//!
//! | name | strings |
//! |---|---|
//! | `upstreams.xc-dns.` | the servers that are forwarded to, in their order |
//! | `generation.xc-dns.` | our generation; then `GENERATION SERVER` for each server that has one |
//!
//! `xcbuild dns check` compares them with what the host says, also on a node, where the only client
//! is busybox's `nslookup`. `xc-dns.` is not a domain of the Internet, and what is below it is never
//! forwarded.

use crate::wire::{Answer, LocalRecord, Name, Query, rcode, rtype};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Upstreams,
    Generation,
}

/// The answer, if the name is below `xc-dns.`. The strings are made when they are wanted.
pub(crate) fn answer(query: &Query, strings: impl FnOnce(State) -> Vec<String>) -> Option<Answer> {
    let zone: Name = "xc-dns".parse().ok()?;
    if !query.name.is_within(&zone) {
        return None;
    }
    let state = match query.name.to_string().as_str() {
        "upstreams.xc-dns." => State::Upstreams,
        "generation.xc-dns." => State::Generation,
        _ => return Some(Answer::local(query, rcode::NXDOMAIN, &[], 0)),
    };
    let strings = if query.qtype == rtype::TXT { strings(state) } else { Vec::new() };
    let records: Vec<_> = strings.into_iter().map(LocalRecord::Text).collect();
    Some(Answer::local(query, rcode::NOERROR, &records, 0))
}
