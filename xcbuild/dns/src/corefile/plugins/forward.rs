//! `forward FROM TO... { except NAMES...; force_tcp; prefer_udp; policy ...; max_fails N; ... }`.
//!
//! TO is an address with or without a port, `dns://` before it or not, or a file such as
//! `/etc/resolv.conf`. Encrypted transports are errors: TLS would be larger than the rest of the
//! program. Options that are about CoreDNS's connections and health checks are only checked: ours has
//! a socket a query, and judges servers by their answers.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::{Plugins, arguments, options, unknown};
use crate::config::Policy;
use crate::corefile::arguments::{Arguments, duration};
use crate::corefile::blocks::Directive;
use crate::corefile::{DNS_PORT, key};
use crate::place::ParseError;
use crate::wire::{Name, rcode};

/// Where queries go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) from: Name,
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) resolv_conf: Option<PathBuf>,
    pub(crate) except: Vec<Name>,
    pub(crate) force_tcp: bool,
    pub(crate) policy: Policy,
    /// `max_fails 0`: no server is asked last because it was silent.
    pub(crate) never_avoid: bool,
    /// Queries under way, at most.
    pub(crate) max_concurrent: Option<usize>,
}

/// Servers of one `forward`, at most.
const MAX_SERVERS: usize = 15;

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut given = arguments(directive);
    let from = given.need("a zone, such as `.`")?;
    let from = key::zones(from).map_err(|why| given.error(&why))?;
    let from = from.into_iter().next().unwrap_or_else(Name::root);
    let mut forward = Forward {
        from,
        servers: Vec::new(),
        resolv_conf: None,
        except: Vec::new(),
        force_tcp: false,
        policy: Policy::Random,
        never_avoid: false,
        max_concurrent: None,
    };
    for to in given.need_some("a server to forward to")? {
        add_target(&mut forward, to, plugins).map_err(|why| given.error(&why))?;
    }
    if forward.servers.len() > MAX_SERVERS {
        return Err(given.error(&format!("more than {MAX_SERVERS} servers")));
    }
    for (option, mut arguments) in options(directive) {
        take_option(&mut forward, directive, option, &mut arguments)?;
        arguments.end()?;
    }
    plugins.forwards.push(forward);
    Ok(())
}

fn add_target(forward: &mut Forward, to: &str, plugins: &Plugins) -> Result<(), String> {
    let bare = to.strip_prefix("dns://").unwrap_or(to);
    if let Some((scheme, _)) = bare.split_once("://") {
        return Err(match scheme {
            "tls" | "https" | "grpc" | "quic" => {
                format!("{scheme}:// is not supported: this stand-in for CoreDNS has no TLS")
            }
            _ => format!("`{scheme}://` is not a scheme"),
        });
    }
    let ip = || Some(SocketAddr::new(unbracketed(bare).parse::<IpAddr>().ok()?, DNS_PORT));
    if let Some(server) = bare.parse().ok().or_else(ip) {
        forward.servers.push(server);
        return Ok(());
    }
    if !to.contains('/') {
        return Err(format!("`{to}` is not an address and not the path of a resolv.conf"));
    }
    match forward.resolv_conf.replace(plugins.root.join(to)) {
        Some(_) => Err("only one file is supported by this stand-in".to_owned()),
        None => Ok(()),
    }
}

fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

fn take_option(
    forward: &mut Forward,
    directive: &Directive,
    option: &str,
    arguments: &mut Arguments<'_>,
) -> Result<(), ParseError> {
    let number = |word: &str| word.parse::<u32>().ok();
    match option {
        "except" => {
            let zones = arguments.zones()?;
            if zones.is_empty() {
                return Err(arguments.error("a name is expected"));
            }
            forward.except.extend(zones);
        }
        "force_tcp" => forward.force_tcp = true,
        // Ours always does.
        "prefer_udp" => {}
        "policy" => {
            forward.policy = arguments.need_as("random, round_robin or sequential", |word| {
                Some(match word {
                    "random" => Policy::Random,
                    "round_robin" => Policy::RoundRobin,
                    "sequential" => Policy::Sequential,
                    _ => return None,
                })
            })?;
        }
        "max_fails" => forward.never_avoid = arguments.need_as("a number", number)? == 0,
        "max_concurrent" => {
            let most = arguments.need_as("a number", number)? as usize;
            forward.max_concurrent = (most > 0).then_some(most);
        }
        "expire" => drop(arguments.need_as("a length of time", duration)?),
        "max_idle_conns" | "max_connect_attempts" => drop(arguments.need_as("a number", number)?),
        "health_check" => {
            arguments.need_as("a length of time", duration)?;
            while let Some(word) = arguments.next() {
                match word {
                    "no_rec" => {}
                    "domain" => drop(arguments.need("a name")?),
                    _ => return Err(arguments.error(&format!("unexpected argument `{word}`"))),
                }
            }
        }
        // The next server is asked anyway when one fails or refuses.
        "failover" => {
            for word in arguments.need_some("a response code")? {
                let known = rcode::parse(word).filter(|code| *code != rcode::NOERROR);
                known.ok_or_else(|| arguments.error(&format!("`{word}` is not a failure")))?;
            }
        }
        "failfast_all_unhealthy_upstreams" => {}
        "tls" | "tls_servername" | "doh_method" => {
            return Err(arguments.error("this stand-in for CoreDNS has no TLS"));
        }
        "next" | "next_on_nodata" | "resolver" => {
            return Err(arguments.error("it is not supported by this stand-in"));
        }
        _ => return Err(unknown(directive, option, arguments)),
    }
    Ok(())
}
