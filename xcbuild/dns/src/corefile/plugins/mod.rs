//! The plugins of a server block.
//!
//! A block's plugins act in an order of CoreDNS's, not of the Corefile's; see [`PLUGINS`], which has
//! that order. Each has a function that takes its directive.

mod acl;
mod cache;
mod endpoints;
mod forward;
mod hosts;
mod log;
mod rewrite;
mod template;
mod zone_file;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use self::acl::{Acl, Action};
pub(crate) use self::cache::Cache;
pub(crate) use self::forward::Forward;
pub(crate) use self::hosts::Hosts;
pub(crate) use self::log::{Class, Field, Log, Piece};
pub(crate) use self::rewrite::{Rewrite, Rule};
pub(crate) use self::template::{Part, Template};
pub(crate) use self::zone_file::ZoneFile;
use super::arguments::Arguments;
use super::blocks::Directive;
use crate::place::ParseError;
use crate::wire::Name;

/// What the plugins of a block are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plugins {
    /// Where relative paths start.
    pub(crate) root: PathBuf,
    pub(crate) reload: Option<Duration>,
    pub(crate) bind: Vec<Bind>,
    pub(crate) ready: Option<SocketAddr>,
    pub(crate) health: Option<SocketAddr>,
    pub(crate) prometheus: Option<SocketAddr>,
    pub(crate) errors: bool,
    pub(crate) log: Vec<Log>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) any: bool,
    pub(crate) cache: Option<Cache>,
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) templates: Vec<Template>,
    pub(crate) hosts: Option<Hosts>,
    pub(crate) files: Vec<ZoneFile>,
    pub(crate) forwards: Vec<Forward>,
    pub(crate) whoami: bool,
    /// There is a plugin that handles queries: a block without any refuses them.
    pub(crate) handles: bool,
}

/// What to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bind {
    Address(IpAddr),
    /// All addresses of an interface.
    Interface(String),
}

/// Names that a plugin hands to the next plugin instead of answering that there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Fallthrough {
    #[default]
    Never,
    Always,
    Within(Vec<Name>),
}

impl Fallthrough {
    /// Takes the arguments of a `fallthrough` option.
    fn parse(arguments: &mut Arguments<'_>) -> Result<Self, ParseError> {
        let zones = arguments.zones()?;
        Ok(if zones.is_empty() { Self::Always } else { Self::Within(zones) })
    }

    pub(crate) fn takes(&self, name: &Name) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Within(zones) => zones.iter().any(|zone| name.is_within(zone)),
        }
    }
}

/// What becomes of a plugin.
enum Support {
    /// This takes its directive.
    Takes(fn(&mut Plugins, &Directive) -> Result<(), ParseError>),
    /// It only tunes CoreDNS; there is nothing to do here.
    WithoutEffect,
    /// CoreDNS has it, we don't; why or what instead.
    Missing(&'static str),
}

use Support::{Missing, Takes, WithoutEffect};

const NOT_HERE: &str = "this stand-in for CoreDNS does not have it";
const NEEDS_KUBERNETES: &str = "this stand-in for CoreDNS does not have it: bring a real CoreDNS, as the Kubernetes overlay does";

/// All plugins, in the order in which they act.
const PLUGINS: [(&str, Support); 53] = [
    ("root", Takes(|_, _| Ok(()))),
    ("metadata", WithoutEffect),
    ("geoip", Missing(NOT_HERE)),
    ("cancel", WithoutEffect),
    ("tls", Missing("this stand-in for CoreDNS has no TLS")),
    ("quic", Missing("this stand-in for CoreDNS has no TLS")),
    ("timeouts", WithoutEffect),
    ("multisocket", WithoutEffect),
    ("reload", Takes(endpoints::reload)),
    ("nsid", WithoutEffect),
    ("bufsize", WithoutEffect),
    ("bind", Takes(endpoints::bind)),
    ("debug", Takes(|_, directive| no_arguments(directive))),
    ("trace", Missing(NOT_HERE)),
    ("ready", Takes(endpoints::ready)),
    ("health", Takes(endpoints::health)),
    ("pprof", WithoutEffect),
    ("prometheus", Takes(endpoints::prometheus)),
    ("errors", Takes(log::errors)),
    ("log", Takes(log::parse)),
    ("dnstap", Missing(NOT_HERE)),
    ("local", Missing(NOT_HERE)),
    ("dns64", Missing(NOT_HERE)),
    ("acl", Takes(acl::parse)),
    ("any", Takes(any)),
    ("chaos", Missing(NOT_HERE)),
    ("loadbalance", WithoutEffect),
    ("tsig", Missing(NOT_HERE)),
    ("cache", Takes(cache::parse)),
    ("rewrite", Takes(rewrite::parse)),
    ("header", Missing(NOT_HERE)),
    ("dnssec", Missing(NOT_HERE)),
    ("autopath", Missing(NEEDS_KUBERNETES)),
    ("minimal", WithoutEffect),
    ("template", Takes(template::parse)),
    ("transfer", Missing("this stand-in for CoreDNS has no zone transfers")),
    ("hosts", Takes(hosts::parse)),
    ("route53", Missing(NOT_HERE)),
    ("azure", Missing(NOT_HERE)),
    ("clouddns", Missing(NOT_HERE)),
    ("k8s_external", Missing(NEEDS_KUBERNETES)),
    ("kubernetes", Missing(NEEDS_KUBERNETES)),
    ("file", Takes(zone_file::parse)),
    ("auto", Missing(NOT_HERE)),
    ("secondary", Missing("this stand-in for CoreDNS has no zone transfers")),
    ("etcd", Missing(NOT_HERE)),
    ("loop", Takes(|_, directive| no_arguments(directive))),
    ("forward", Takes(forward::parse)),
    ("grpc", Missing(NOT_HERE)),
    ("erratic", Missing(NOT_HERE)),
    ("whoami", Takes(whoami)),
    ("sign", Missing(NOT_HERE)),
    ("view", Missing(NOT_HERE)),
];

/// Plugins that handle no queries.
const SETTINGS: [&str; 8] =
    ["root", "reload", "bind", "debug", "ready", "health", "timeouts", "multisocket"];

/// The plugins that do something here, in the order in which they act.
pub fn names() -> impl Iterator<Item = &'static str> {
    PLUGINS.iter().filter(|(_, support)| matches!(support, Takes(_))).map(|(name, _)| *name)
}

/// The directives of a block as what its plugins are told, and those that have no effect.
pub(crate) fn parse(directives: &[Directive]) -> Result<(Plugins, Vec<String>), ParseError> {
    let handles = |directive: &Directive| !SETTINGS.contains(&directive.name.text.as_str());
    let mut plugins = Plugins { handles: directives.iter().any(handles), ..Plugins::default() };
    // It acts before the others, wherever it stands.
    for directive in directives.iter().filter(|directive| directive.name.text == "root") {
        endpoints::root(&mut plugins, directive)?;
    }
    let mut without_effect = Vec::new();
    for directive in directives {
        let (name, place) = (directive.name.text.as_str(), &directive.name.place);
        match PLUGINS.iter().find(|(known, _)| *known == name).map(|(_, support)| support) {
            Some(Takes(take)) => take(&mut plugins, directive)?,
            Some(WithoutEffect) => {
                without_effect.push(format!("{place}: {name} has no effect here"))
            }
            Some(Missing(why)) => return Err(place.error(format!("plugin {name}: {why}"))),
            None => return Err(place.error(format!("unknown plugin `{name}`"))),
        }
    }
    Ok((plugins, without_effect))
}

/// The arguments of a directive.
fn arguments(directive: &Directive) -> Arguments<'_> {
    Arguments::new(directive.name.text.clone(), &directive.name.place, &directive.arguments)
}

/// The options of a directive: the name of each, and its arguments.
fn options(directive: &Directive) -> impl Iterator<Item = (&str, Arguments<'_>)> {
    directive.options.iter().filter_map(|line| {
        let (name, arguments) = line.split_first()?;
        let what = format!("{} {}", directive.name.text, name.text);
        Some((name.text.as_str(), Arguments::new(what, &name.place, arguments)))
    })
}

/// The error for an option that a plugin doesn't have.
fn unknown(directive: &Directive, option: &str, arguments: &Arguments<'_>) -> ParseError {
    arguments.place.error(format!("{}: unknown option `{option}`", directive.name.text))
}

/// For plugins without options.
fn no_options(directive: &Directive) -> Result<(), ParseError> {
    options(directive).next().map_or(Ok(()), |(name, found)| Err(unknown(directive, name, &found)))
}

fn no_arguments(directive: &Directive) -> Result<(), ParseError> {
    arguments(directive).end()?;
    no_options(directive)
}

/// For plugins that may be there once in a block.
fn once(directive: &Directive, is_set: bool) -> Result<(), ParseError> {
    match is_set {
        true => Err(arguments(directive).error("it can only be used once in a server block")),
        false => Ok(()),
    }
}

fn any(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    plugins.any = true;
    no_arguments(directive)
}

fn whoami(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    plugins.whoami = true;
    no_arguments(directive)
}
