//! `hosts [FILE [ZONES...]] { INLINE...; ttl SECONDS; no_reverse; reload DURATION; fallthrough [ZONES...] }`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Fallthrough, Plugins, arguments, once, options, unknown};
use crate::corefile::arguments::duration;
use crate::corefile::blocks::Directive;
use crate::hosts::Entry;
use crate::place::ParseError;
use crate::wire::Name;

/// CoreDNS's usual TTL of these records, in seconds.
const TTL: u32 = 3600;
/// How often the file is looked at.
const RELOAD: Duration = Duration::from_secs(5);

/// Names of a hosts file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub(crate) path: PathBuf,
    /// Names below these; those of the block for none.
    pub(crate) zones: Vec<Name>,
    /// Entries of the Corefile itself.
    pub(crate) inline: Vec<Entry>,
    pub(crate) ttl: u32,
    pub(crate) reverse: bool,
    /// `None` for never.
    pub(crate) reload: Option<Duration>,
    pub(crate) fallthrough: Fallthrough,
}

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    once(directive, plugins.hosts.is_some())?;
    let mut given = arguments(directive);
    let path = plugins.root.join(given.next().unwrap_or("/etc/hosts"));
    let mut hosts = Hosts {
        path,
        zones: given.zones()?,
        inline: Vec::new(),
        ttl: TTL,
        reverse: true,
        reload: Some(RELOAD),
        fallthrough: Fallthrough::default(),
    };
    for (option, mut arguments) in options(directive) {
        match option {
            "ttl" => {
                let seconds = |word: &str| word.parse().ok().filter(|ttl| *ttl <= 65_535);
                hosts.ttl = arguments.need_as("a TTL in seconds, up to 65535", seconds)?;
            }
            "no_reverse" => hosts.reverse = false,
            "reload" => {
                let interval = arguments.need_as("a length of time", duration)?;
                hosts.reload = (!interval.is_zero()).then_some(interval);
            }
            "fallthrough" => hosts.fallthrough = Fallthrough::parse(&mut arguments)?,
            address => {
                let Ok(address) = address.parse() else {
                    return Err(unknown(directive, option, &arguments));
                };
                let mut names = Vec::new();
                for word in arguments.need_some("a name")? {
                    let name = word.parse::<Name>();
                    names.push(name.map_err(|error| arguments.error(&error.to_string()))?);
                }
                hosts.inline.push(Entry { address: Some(address), names });
            }
        }
        arguments.end()?;
    }
    plugins.hosts = Some(hosts);
    Ok(())
}
