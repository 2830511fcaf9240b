//! The command line, by hand: a parser with all comforts is larger than the server.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::{Long, Short, ValueExt};
use xc_dns::{Config, Name, Upstreams};

/// The port of a server given without one.
const DNS_PORT: u16 = 53;

const HELP: &str = "\
Forwarding, caching DNS server.

Usage: xc-dns --listen ADDR[:PORT]... (--upstream ADDR[:PORT]... | --resolv-conf FILE)

  --listen ADDR[:PORT]    answer here, UDP and TCP; 0.0.0.0 and [::] answer from
                          the address that was asked (port 53)
  --upstream ADDR[:PORT]  forward to this server; the first is preferred (port 53)
  --resolv-conf FILE      forward to the servers named there, followed when it changes
  --hosts FILE            answer names in this hosts file; followed when it changes
  --zone NAME             names below NAME are ours: bare names of the hosts files,
                          and what isn't there doesn't exist
  --name NAME=ADDR        answer one more name
  --cache BYTES           keep answers in so much memory (4194304)
  --max-ttl SECONDS       keep answers for at most so long (3000)
  --stale SECONDS         use answers so long past their time if no server answers (0)
  --log FILE              append warnings to FILE instead of stderr; at 2 MiB it
                          becomes FILE.old
  --queries               log each query as well
  --pid-file FILE         write the process id there once bound
  --background            return when the server is bound; it goes on, and logs only
                          to its --log
  -h, --help              this text
  -V, --version           the version

IPv6 addresses with a port are written [ADDR]:PORT.
";

/// What to do.
pub(crate) enum Action {
    /// Run the server.
    Serve(Box<Options>),
    /// Print this and end.
    Say(String),
}

/// The server's configuration, and what only the program has.
pub(crate) struct Options {
    /// For the library; its sink is set later.
    pub config: Config,
    /// The log file.
    pub log: Option<PathBuf>,
    /// Log queries.
    pub queries: bool,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// Go to the background.
    pub background: bool,
}

/// Takes the command line, the program's name first.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, lexopt::Error> {
    let mut parser = lexopt::Parser::from_iter(args);
    let (mut servers, mut resolv_conf) = (Vec::new(), None);
    let config = Config::new(Vec::new(), Upstreams::Servers(Vec::new()));
    let mut options =
        Options { config, log: None, queries: false, pid_file: None, background: false };
    while let Some(arg) = parser.next()? {
        let config = &mut options.config;
        match arg {
            Long("listen") => config.listen.push(parser.value()?.parse_with(address)?),
            Long("upstream") => servers.push(parser.value()?.parse_with(address)?),
            Long("resolv-conf") => resolv_conf = Some(PathBuf::from(parser.value()?)),
            Long("hosts") => config.hosts.push(parser.value()?.into()),
            Long("zone") => config.zone = Some(parser.value()?.parse()?),
            Long("name") => config.names.push(parser.value()?.parse_with(name)?),
            Long("cache") => config.cache_bytes = parser.value()?.parse()?,
            Long("max-ttl") => config.max_ttl = parser.value()?.parse()?,
            Long("stale") => config.stale = Duration::from_secs(parser.value()?.parse()?),
            Long("log") => options.log = Some(parser.value()?.into()),
            Long("queries") => options.queries = true,
            Long("pid-file") => options.pid_file = Some(parser.value()?.into()),
            Long("background") => options.background = true,
            Long("help") | Short('h') => return Ok(Action::Say(HELP.to_string())),
            Long("version") | Short('V') => return Ok(Action::Say(version())),
            other => return Err(other.unexpected()),
        }
    }
    options.config.upstreams = match resolv_conf {
        Some(_) if !servers.is_empty() => {
            return Err("--upstream and --resolv-conf exclude each other".into());
        }
        Some(path) => Upstreams::ResolvConf(path),
        None => Upstreams::Servers(servers),
    };
    Ok(Action::Serve(Box::new(options)))
}

fn version() -> String {
    format!("xc-dns {}\n", env!("CARGO_PKG_VERSION"))
}

/// An address, with or without a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match (text.parse(), bare.parse::<IpAddr>()) {
        (Ok(address), _) => Ok(address),
        (_, Ok(ip)) => Ok((ip, DNS_PORT).into()),
        _ => Err("not an IP address with or without a port".to_string()),
    }
}

/// `NAME=ADDR`.
fn name(text: &str) -> Result<(Name, IpAddr), String> {
    let (name, address) = text.split_once('=').ok_or("not NAME=ADDR")?;
    let name = name.parse().map_err(|error: xc_dns::NameError| error.to_string())?;
    Ok((name, address.parse().map_err(|_| format!("{address} is no IP address"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_port() {
        for (text, expected) in [
            ("127.0.0.1", Some("127.0.0.1:53")),
            ("127.0.0.1:10053", Some("127.0.0.1:10053")),
            ("::1", Some("[::1]:53")),
            ("[::1]", Some("[::1]:53")),
            ("[1000::1:192.168.0.250]:10053", Some("[1000::1:c0a8:fa]:10053")),
            ("localhost", None),
            ("127.0.0.1:x", None),
            ("", None),
        ] {
            assert_eq!(address(text).ok(), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn bad_command_lines_name_what_is_wrong() {
        for (args, error) in [
            ("--listen x", "\"x\""),
            ("--nonsense", "--nonsense"),
            ("--upstream ::1 --resolv-conf f", "exclude"),
            ("--zone a..b", "empty label"),
            ("--name vm=x", "x is no IP address"),
            ("--cache", "--cache"),
        ] {
            let args = ["xc-dns"].into_iter().chain(args.split(' ')).map(OsString::from);
            let Err(found) = parse(args) else { panic!("no error: {error}") };
            assert!(found.to_string().contains(error), "{found}");
        }
    }
}
