//! Corefiles: CoreDNS's configuration, as far as a forwarder can do what it says. Text to value, pure.
//!
//! Overlays bring Corefiles and start `coredns -conf /etc/Corefile`. Where they have no CoreDNS to
//! bring, our server takes its place; this is how it is told what to do.
//!
//! | module | subject |
//! |---|---|
//! | [`lexer`] | words |
//! | [`blocks`] | server blocks and directives; snippets, imports, environment variables |
//! | [`key`], [`arguments`] | what words mean |
//! | [`plugins`] | the plugins, each with its options |
//!
//! What isn't understood is an error with file and line: a plugin that isn't known, one that CoreDNS
//! has and we don't, an option of a plugin. Nothing that would change an answer is passed over.
//! Plugins that only tune CoreDNS itself are taken and reported as [`Corefile::without_effect`].
//!
//! Reference: corefile(5) and the pages of the plugins, <https://coredns.io/manual/toc/>.

mod arguments;
mod blocks;
mod key;
mod lexer;
mod outside;
mod pattern;
pub(crate) mod plugins;

pub use key::Key;
pub use outside::{Nothing, Outside};
pub(crate) use pattern::Pattern;
pub use plugins::names as plugin_names;

use self::blocks::blocks;
use self::plugins::Plugins;
use crate::place::Place;
use crate::wire::Name;

pub use crate::place::ParseError;

/// The usual port of a server block.
pub const DNS_PORT: u16 = 53;

/// A whole Corefile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corefile {
    pub(crate) blocks: Vec<ServerBlock>,
    /// Plugins that have no effect here, with their places, as text for people.
    pub without_effect: Vec<String>,
}

/// A server block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerBlock {
    pub(crate) place: Place,
    pub(crate) keys: Vec<Key>,
    pub(crate) plugins: Plugins,
}

impl ServerBlock {
    /// All zones of the block.
    pub(crate) fn zones(&self) -> Vec<Name> {
        self.keys.iter().flat_map(|key| key.zones.iter().cloned()).collect()
    }
}

/// Takes the text of a Corefile named `file`.
///
/// # Errors
/// The first thing that isn't understood, with its place.
pub fn parse(file: &str, text: &str, outside: &dyn Outside) -> Result<Corefile, ParseError> {
    let mut corefile = Corefile { blocks: Vec::new(), without_effect: Vec::new() };
    for block in blocks(file, text, outside)? {
        let keys = block.keys.iter().map(key::parse).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = block.keys.first() else { continue };
        let (plugins, without_effect) = plugins::parse(&block.directives)?;
        corefile.without_effect.extend(without_effect);
        let place = first.place.clone();
        corefile.blocks.push(ServerBlock { place, keys, plugins });
    }
    check_unique(&corefile.blocks)?;
    Ok(corefile)
}

/// No zone may be served twice at one port, unless at different addresses.
fn check_unique(blocks: &[ServerBlock]) -> Result<(), ParseError> {
    let mut seen = Vec::new();
    for block in blocks {
        for key in &block.keys {
            for zone in &key.zones {
                let served = (zone, key.port.unwrap_or(DNS_PORT), &block.plugins.bind);
                if seen.contains(&served) {
                    let port = served.1;
                    let twice = format!("cannot serve dns://{zone}:{port} - it is already defined");
                    return Err(block.place.error(twice));
                }
                seen.push(served);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
