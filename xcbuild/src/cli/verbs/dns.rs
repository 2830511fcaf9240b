//! `xcbuild dns serve`: the host's DNS proxy, which `start` runs beside a cluster; `dns check`: which
//! step of the way of a name fails.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use xc_dns::{Config, Name, Server, Sink, Upstreams, resolv_conf, server};

use crate::cli::cluster::dns_zone::{HOST, ZONE, upstream};
use crate::cli::cluster::{self, tables};
use crate::cli::verb::Verb;
use crate::settings::{Invocation, Settings};
use crate::ui;
use xc_cluster::check::Verdict;
use xc_cluster::corefile;
use xc_cluster::dnscheck::{self, Names, Outside, Step};
use xc_sys::exec::{Exec, own_program};
use xc_sys::{cancel, files, namespace};

/// The DNS proxy between the nodes and the host's name servers
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Subcommand,
}

impl Verb for Arguments {
    const NAME: &'static str = "dns";

    /// Runs the verb.
    ///
    /// # Errors
    /// When a setting is no such thing, or the proxy can't be started.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        match &self.verb {
            Subcommand::Serve(options) => serve(options, &invocation.settings()?),
            Subcommand::Check(options) => check(options, &invocation.settings()?),
        }
    }
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Serve(ServeOptions),
    Check(CheckOptions),
}

/// Walk the way of a name from the host's resolver to a node, and say which step fails
#[derive(Debug, clap::Args)]
struct CheckOptions {
    /// Ask the servers for this name, in place of who serves the root
    #[arg(long, value_name = "NAME", default_value = ".")]
    name: String,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Run the proxy in the foreground until it is told to end
#[derive(Debug, clap::Args)]
struct ServeOptions {
    /// Answer the names of this hosts file from it; may be given several times
    #[arg(long, value_name = "FILE")]
    hosts: Vec<PathBuf>,
    /// Answer names of this zone from the hosts files alone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Listen on this port of 127.0.0.1 and ::1
    #[arg(long)]
    port: Option<u16>,
    /// Listen on this address, too, 0.0.0.0 or :: for all; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<IpAddr>,
    /// Use answers so many seconds past their time where no server answers
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    stale: u64,
    /// Become this CoreDNS, told to do the same
    #[arg(long, value_name = "PROGRAM", requires = "pid_file")]
    coredns: Option<PathBuf>,
    /// Write the number of the process here once the port is bound
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

/// Walks in the namespace that the cluster's proxy is in; first, from outside, the host's rule for it
/// is looked at. The exit code is 1 if a step fails.
fn check(options: &CheckOptions, settings: &Settings) -> Result<ExitCode> {
    let run = cluster::run_directory(settings)?;
    let Some(outside) = dnscheck::outside(&run)? else {
        let own = format!("{HOST}.{ZONE}");
        let names = Names { own, outside: options.name.clone() };
        return show(options, &dnscheck::walk(&run, &settings.cluster.prefix, &names)?);
    };
    let Outside { steps, netns_prefix } = outside;
    if let Some((enter, words)) = netns_prefix.split_first()
        && steps.iter().all(|step| step.verdict != Verdict::Failed)
    {
        let exec = Exec::new(enter).args(words).arg(own_program()?).args(["dns", "check"]);
        let exec = exec.arg(format!("--cluster={}", settings.cluster.name));
        let exec = exec.arg(format!("--name={}", options.name));
        return Err(exec.args(options.json.then_some("--json")).replace().into());
    }
    show(options, &steps)
}

fn show(options: &CheckOptions, steps: &[Step]) -> Result<ExitCode> {
    if options.json {
        ui::result(serde_json::to_string_pretty(steps)?);
    } else {
        let row = |s: &Step| [s.step.clone(), tables::verdict(s.verdict).into(), s.seen.clone()];
        ui::result(tables::aligned(["STEP", "RESULT", "SEEN"], steps.iter().map(row)));
    }
    let Some(first) = steps.iter().find(|step| step.verdict == Verdict::Failed) else {
        return Ok(ExitCode::SUCCESS);
    };
    let remedy = first.remedy.as_deref().unwrap_or("what is before it works");
    ui::error(&anyhow::anyhow!("the step `{}` fails: {}; {remedy}", first.step, first.seen));
    Ok(ExitCode::FAILURE)
}

fn serve(options: &ServeOptions, settings: &Settings) -> Result<ExitCode> {
    let config = config(options, settings)?;
    warn_of_loopback(&config);
    if let (Some(program), Some(pid_file)) = (&options.coredns, &options.pid_file) {
        return Err(become_coredns(program, pid_file, &config, options.zone.as_deref()));
    }
    let server = Server::bind(config)?;
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
    let listen: Vec<_> = listen.map(|address| SocketAddr::new(*address, port)).collect();
    // A wildcard includes the addresses that are always listened on.
    let mut config = Config::new(server::distinct(&listen), upstreams);
    config.hosts = settings.cluster.dns_spoof.iter().chain(&options.hosts).cloned().collect();
    if let Some(zone) = &options.zone {
        config.zone = Some(zone.parse::<Name>().with_context(|| format!("--zone={zone}"))?);
    }
    config.stale = Duration::from_secs(options.stale);
    config.sink = log();
    Ok(config)
}

/// Becomes a CoreDNS of the user's; what it is told is beside its pid file.
fn become_coredns(
    program: &Path,
    pid_file: &Path,
    config: &Config,
    zone: Option<&str>,
) -> anyhow::Error {
    let told = || -> Result<PathBuf> {
        let files = config.hosts.iter().map(fs_err::read_to_string);
        let hosts = corefile::joined_hosts(&files.collect::<Result<Vec<_>, _>>()?, zone);
        let to = match &config.upstreams {
            Upstreams::Servers(servers) => servers.iter().map(ToString::to_string).collect(),
            Upstreams::ResolvConf(path) => vec![path.display().to_string()],
        };
        let (path, hosts_path) =
            (pid_file.with_extension("corefile"), pid_file.with_extension("hosts"));
        files::write_atomic(&hosts_path, hosts.as_bytes())?;
        let text = corefile::corefile(&config.listen, &hosts_path, zone, &to);
        files::write_atomic(&path, text.as_bytes())?;
        Ok(path)
    };
    match told() {
        Ok(path) => {
            let exec = Exec::new(program).arg("-conf").arg(path);
            exec.arg(format!("--pidfile={}", pid_file.display())).replace().into()
        }
        Err(error) => error,
    }
}

/// A namespace has a loopback of its own: what listens on the host's is not there.
fn warn_of_loopback(config: &Config) {
    let Some(name) = namespace::own_name() else { return };
    let servers = match &config.upstreams {
        Upstreams::Servers(servers) => servers.clone(),
        Upstreams::ResolvConf(path) => {
            resolv_conf::effective_servers(&fs_err::read_to_string(path).unwrap_or_default())
        }
    };
    for server in servers.iter().map(SocketAddr::ip).filter(IpAddr::is_loopback) {
        ui::warn(format_args!(
            "the name server {server} is the host's loopback, which the namespace {name} can't \
             reach: name a real one in /etc/resolv.conf, or start with --dns-upstream=ADDRESS"
        ));
    }
}

/// The query log: a line an event, with its time in seconds since 1970.
fn log() -> Sink {
    Arc::new(|event| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ui::log(format_args!("{}.{:03} {event}", now.as_secs(), now.subsec_millis()));
    })
}
