//! `cache [TTL] [ZONES...] { success CAPACITY [TTL] [MINTTL]; denial ...; serve_stale [DURATION] [MODE];
//! prefetch ...; servfail DURATION; disable success|denial [ZONES...]; keepttl }`.
//!
//! Our cache is bounded by bytes, prefetches nothing and keeps no failures, so those options are only
//! checked.

use std::time::Duration;

use super::{Plugins, arguments, once, options, unknown};
use crate::corefile::arguments::{Arguments, duration};
use crate::corefile::blocks::Directive;
use crate::place::ParseError;
use crate::wire::Name;

/// CoreDNS's own limits, in seconds.
const MAX_TTL: u32 = 3600;
const MAX_NEGATIVE_TTL: u32 = 1800;
/// How long stale answers are used unless it is said.
const STALE: Duration = Duration::from_secs(3600);

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cache {
    /// Seconds, at most; 0 keeps nothing.
    pub(crate) max_ttl: u32,
    pub(crate) max_negative_ttl: u32,
    /// Answers kept, at most; `None` for the usual number.
    pub(crate) capacity: Option<usize>,
    /// Answers are used so long past their time.
    pub(crate) stale: Duration,
    /// Names below these are kept; all for none.
    pub(crate) zones: Vec<Name>,
}

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    once(directive, plugins.cache.is_some())?;
    let mut given = arguments(directive);
    let (max_ttl, max_negative_ttl) = match given.peek().and_then(|word| word.parse().ok()) {
        Some(0) => return Err(given.error("the TTL has to be more than 0")),
        Some(seconds) => {
            given.next();
            (seconds, seconds)
        }
        None => (MAX_TTL, MAX_NEGATIVE_TTL),
    };
    let zones = given.zones()?;
    let stale = Duration::ZERO;
    let mut cache = Cache { max_ttl, max_negative_ttl, capacity: None, stale, zones };
    for (option, mut arguments) in options(directive) {
        match option {
            "success" => {
                cache.capacity = Some(capacity(&mut arguments)?);
                cache.max_ttl = ttl(&mut arguments)?.unwrap_or(cache.max_ttl);
                min_ttl(&mut arguments)?;
            }
            "denial" => {
                capacity(&mut arguments)?;
                cache.max_negative_ttl = ttl(&mut arguments)?.unwrap_or(cache.max_negative_ttl);
                min_ttl(&mut arguments)?;
            }
            "serve_stale" => cache.stale = serve_stale(&mut arguments)?,
            "prefetch" => drop(arguments.need_some("an amount")?),
            "servfail" => drop(arguments.need_as("a length of time", duration)?),
            "disable" => disable(&mut cache, &mut arguments)?,
            "keepttl" => {}
            _ => return Err(unknown(directive, option, &arguments)),
        }
        arguments.end()?;
    }
    plugins.cache = Some(cache);
    Ok(())
}

fn capacity(arguments: &mut Arguments<'_>) -> Result<usize, ParseError> {
    arguments.need_as("a number of answers", |word| word.parse().ok())
}

fn ttl(arguments: &mut Arguments<'_>) -> Result<Option<u32>, ParseError> {
    if arguments.peek().is_none() {
        return Ok(None);
    }
    arguments.need_as("a TTL in seconds", |word| word.parse().ok()).map(Some)
}

/// A shortest time would keep answers longer than their servers allow.
fn min_ttl(arguments: &mut Arguments<'_>) -> Result<(), ParseError> {
    match ttl(arguments)? {
        None | Some(0..=5) => Ok(()),
        Some(_) => Err(arguments.error("MINTTL over 5 is not supported by this stand-in")),
    }
}

fn serve_stale(arguments: &mut Arguments<'_>) -> Result<Duration, ParseError> {
    let stale = match arguments.peek() {
        Some(_) => arguments.need_as("a length of time", duration)?,
        None => STALE,
    };
    if arguments.peek().is_some() {
        // Ours are always tried again before: `verified`.
        arguments.need_as("immediate or verified", |word| {
            matches!(word, "immediate" | "verified").then_some(())
        })?;
    }
    Ok(stale)
}

fn disable(cache: &mut Cache, arguments: &mut Arguments<'_>) -> Result<(), ParseError> {
    let what = arguments.need("success or denial")?;
    if arguments.peek().is_some() {
        return Err(arguments.error("zones are not supported by this stand-in"));
    }
    match what {
        "success" => cache.max_ttl = 0,
        "denial" => cache.max_negative_ttl = 0,
        other => return Err(arguments.error(&format!("`{other}`: success or denial is expected"))),
    }
    Ok(())
}
