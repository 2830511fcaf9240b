//! Plugins of the server rather than of its answers: where it listens, where it tells how it is.
//!
//! `bind ADDRESS|INTERFACE...`, `health [ADDRESS] { lameduck DURATION }`, `ready [ADDRESS]`,
//! `prometheus [ADDRESS]`, `reload [INTERVAL] [JITTER]`, `root PATH`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Bind, Plugins, arguments, no_options, options, unknown};
use crate::corefile::arguments::{duration, listen_address};
use crate::corefile::blocks::Directive;
use crate::place::ParseError;

const HEALTH_PORT: u16 = 8080;
const READY_PORT: u16 = 8181;
const METRICS_PORT: u16 = 9153;
/// How often a Corefile is looked at, unless it says so.
const RELOAD: Duration = Duration::from_secs(30);
/// The shortest time between two looks.
const MIN_RELOAD: Duration = Duration::from_secs(2);

pub(super) fn root(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut arguments = arguments(directive);
    plugins.root = arguments.need("a directory")?.into();
    arguments.end()?;
    no_options(directive)
}

pub(super) fn bind(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    for word in arguments(directive).need_some("an address or an interface")? {
        plugins.bind.push(match word.parse() {
            Ok(address) => Bind::Address(address),
            Err(_) => Bind::Interface(word.to_owned()),
        });
    }
    no_options(directive)
}

/// Takes `[ADDRESS]`, with a default.
fn address(directive: &Directive, default: SocketAddr) -> Result<SocketAddr, ParseError> {
    let mut arguments = arguments(directive);
    let address = match arguments.peek() {
        Some(_) => arguments.need_as("an address with a port, such as :8080", listen_address)?,
        None => default,
    };
    arguments.end()?;
    Ok(address)
}

pub(super) fn health(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    plugins.health = Some(address(directive, (Ipv4Addr::UNSPECIFIED, HEALTH_PORT).into())?);
    for (option, mut arguments) in options(directive) {
        match option {
            // There is nothing that a stop would wait for.
            "lameduck" => drop(arguments.need_as("a length of time", duration)?),
            _ => return Err(unknown(directive, option, &arguments)),
        }
        arguments.end()?;
    }
    Ok(())
}

pub(super) fn ready(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    plugins.ready = Some(address(directive, (Ipv4Addr::UNSPECIFIED, READY_PORT).into())?);
    for (option, mut arguments) in options(directive) {
        match option {
            "monitor" => drop(arguments.need_as("until-ready or continuously", |word| {
                matches!(word, "until-ready" | "continuously").then_some(())
            })?),
            _ => return Err(unknown(directive, option, &arguments)),
        }
        arguments.end()?;
    }
    Ok(())
}

pub(super) fn prometheus(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    plugins.prometheus = Some(address(directive, (Ipv4Addr::LOCALHOST, METRICS_PORT).into())?);
    no_options(directive)
}

pub(super) fn reload(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut arguments = arguments(directive);
    let mut interval = RELOAD;
    if arguments.peek().is_some() {
        interval = arguments.need_as("a length of time", duration)?;
    }
    if arguments.peek().is_some() {
        // The jitter is against many servers that read at once.
        arguments.need_as("a length of time", duration)?;
    }
    arguments.end()?;
    plugins.reload = (!interval.is_zero()).then_some(interval.max(MIN_RELOAD));
    no_options(directive)
}
