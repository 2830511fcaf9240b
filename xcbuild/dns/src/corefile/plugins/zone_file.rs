//! `file DBFILE [ZONES...] { reload DURATION; fallthrough [ZONES...]; upstream }`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Fallthrough, Plugins, arguments, options, unknown};
use crate::corefile::arguments::duration;
use crate::corefile::blocks::Directive;
use crate::place::ParseError;
use crate::wire::Name;

/// How often the file is looked at.
const RELOAD: Duration = Duration::from_secs(60);

/// A master file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ZoneFile {
    pub(crate) path: PathBuf,
    /// The zones that it is for; those of the block for none.
    pub(crate) zones: Vec<Name>,
    /// `None` for never.
    pub(crate) reload: Option<Duration>,
    pub(crate) fallthrough: Fallthrough,
}

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut given = arguments(directive);
    let path = plugins.root.join(given.need("a master file")?);
    let (reload, fallthrough) = (Some(RELOAD), Fallthrough::default());
    let mut file = ZoneFile { path, zones: given.zones()?, reload, fallthrough };
    for (option, mut arguments) in options(directive) {
        match option {
            "reload" => {
                let interval = arguments.need_as("a length of time", duration)?;
                file.reload = (!interval.is_zero()).then_some(interval);
            }
            "fallthrough" => file.fallthrough = Fallthrough::parse(&mut arguments)?,
            // CoreDNS ignores it, too, since 1.4.
            "upstream" => while arguments.next().is_some() {},
            _ => return Err(unknown(directive, option, &arguments)),
        }
        arguments.end()?;
    }
    plugins.files.push(file);
    Ok(())
}
