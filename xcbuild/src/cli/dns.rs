//! `xcbuild dns serve`: the host's DNS proxy, which `start` runs beside a cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use xc_dns::{Config, Name, Server, Sink, Upstreams};

use crate::settings::{Settings, Variables};
use crate::sys::cancel;
use crate::sys::files;
use crate::ui;

/// Port of a server that is given without one (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;

/// The DNS proxy between the nodes and the host's name servers
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Serve(ServeOptions),
}

/// Run the proxy in the foreground until it is told to end
#[derive(Debug, clap::Args, Serialize)]
struct ServeOptions {
    /// Ask this server, ADDRESS or ADDRESS:PORT, in place of those of /etc/resolv.conf; may be
    /// given several times, the first preferred
    #[arg(long, value_name = "SERVER")]
    dns_upstream: Vec<String>,
    /// Answer the names of this hosts file from it; may be given several times
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    hosts: Vec<PathBuf>,
    /// Answer names of this zone from the hosts files alone
    #[arg(long, value_name = "NAME")]
    #[serde(skip)]
    zone: Option<String>,
    /// Listen on this port of 127.0.0.1 and ::1
    #[arg(long)]
    #[serde(skip)]
    port: Option<u16>,
    /// Listen on this address, too; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip)]
    listen: Vec<IpAddr>,
    /// Write the number of the process here once the port is bound
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pid_file: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// When a setting is no such thing, or the proxy can't be started.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    let Verb::Serve(options) = &arguments.verb;
    variables.set_options(options);
    serve(options, &Settings::resolve(variables)?)
}

fn serve(options: &ServeOptions, settings: &Settings) -> Result<ExitCode> {
    let server = Server::bind(config(options, settings)?)?;
    if let Some(path) = &options.pid_file {
        files::write_atomic(path, format!("{}\n", std::process::id()).as_bytes())?;
    }
    let stopper = server.stopper();
    let _end = cancel::on_cancel(move || stopper.stop());
    let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    ui::result(format_args!("ready {} forwarding to {}", addresses.join(" "), server.upstreams()));
    server.run()?;
    Ok(ExitCode::SUCCESS)
}

fn config(options: &ServeOptions, settings: &Settings) -> Result<Config> {
    let port = options.port.unwrap_or(settings.cluster.dns_port);
    let own = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    let upstreams = match settings.cluster.dns_upstream.as_slice() {
        [] => Upstreams::ResolvConf("/etc/resolv.conf".into()),
        given => Upstreams::Servers(given.iter().map(|s| upstream(s)).collect::<Result<_>>()?),
    };
    let listen = own.iter().chain(&options.listen);
    let listen = listen.map(|address| SocketAddr::new(*address, port)).collect();
    let mut config = Config::new(listen, upstreams);
    config.hosts = settings.cluster.dns_spoof.iter().chain(&options.hosts).cloned().collect();
    if let Some(zone) = &options.zone {
        config.zone = Some(zone.parse::<Name>().with_context(|| format!("--zone={zone}"))?);
    }
    config.sink = log();
    Ok(config)
}

fn upstream(text: &str) -> Result<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, DNS_PORT)),
        Err(_) => bail!(
            "--dns-upstream={text}: an address is expected, such as 192.0.2.1 or [2001:db8::1]:53"
        ),
    }
}

/// The query log: a line an event, with its time in seconds since 1970.
fn log() -> Sink {
    Arc::new(|event| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ui::log(format_args!("{}.{:03} {event}", now.as_secs(), now.subsec_millis()));
    })
}

#[cfg(test)]
mod tests {
    use super::upstream;

    #[test]
    fn servers_are_addresses_with_or_without_port() {
        let rows = [
            ("127.0.0.1", "127.0.0.1:53"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ];
        for (text, address) in rows {
            assert_eq!(upstream(text).unwrap().to_string(), address);
        }
        for bad in ["", "localhost", "1.2.3", "127.0.0.1:", "[::1]"] {
            assert!(upstream(bad).is_err(), "{bad}");
        }
    }
}
