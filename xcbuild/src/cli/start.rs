//! `xcbuild start`: the cluster, from finished images.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use super::cluster::{self, ClusterName};
use crate::cluster::{Event, Report, StartParams};
use crate::net::ports::Policy;
use crate::net::user::UserNet;
use crate::settings::{Settings, Variables};
use crate::ui::{self, Progress};
use crate::vm::accel::Choice;
use crate::vm::command::Boot;

/// Start the cluster from the base image and the cdrom; stop a running one of the name first
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    options: StartOptions,
}

/// What a cluster is started with; each is also read from the environment, `--nets-vm` as
/// `__nets_vm`.
#[derive(Debug, clap::Args, Serialize)]
pub struct StartOptions {
    #[command(flatten)]
    #[serde(flatten)]
    cluster: ClusterName,
    /// How many cluster nodes, 1 and up [default: the topology's]
    #[arg(long, value_name = "N")]
    nvm: Option<String>,
    /// How many routers, 201 and up [default: the topology's]
    #[arg(long, value_name = "N")]
    nrouters: Option<String>,
    /// How many testers, 221 and up [default: the topology's]
    #[arg(long, value_name = "N")]
    ntesters: Option<String>,
    /// Networks of cluster nodes, as in 0,1 [default: the topology's]
    #[arg(long, value_name = "NETS")]
    nets_vm: Option<String>,
    /// Networks of routers [default: the topology's]
    #[arg(long, value_name = "NETS")]
    nets_router: Option<String>,
    /// Networks of testers [default: the topology's]
    #[arg(long, value_name = "NETS")]
    nets_tester: Option<String>,
    /// MiB of memory a node; --mem201= for one node [default: 128]
    #[arg(long, value_name = "MIB")]
    mem: Option<String>,
    /// CPUs a node; --smp201= for one node [default: 2]
    #[arg(long, value_name = "N")]
    smp: Option<String>,
    /// MTU of all networks, in bytes [default: the topology's]
    #[arg(long, value_name = "BYTES")]
    mtu: Option<String>,
    /// The base image
    #[arg(long, value_name = "FILE")]
    image: Option<String>,
    /// The overlays' ISO
    #[arg(long, value_name = "FILE")]
    cdrom: Option<String>,
    /// The kernel
    #[arg(long, value_name = "FILE")]
    kbin: Option<String>,
    /// More for the kernel command line; --append201= for one node
    #[arg(long, value_name = "WORDS")]
    append: Option<String>,
    /// The qemu program
    #[arg(long, value_name = "PROGRAM")]
    kvm: Option<String>,
    /// More options for qemu
    #[arg(long, value_name = "OPTIONS")]
    kvm_opt: Option<String>,
    /// kvm, tcg, or auto: KVM where it works
    #[arg(long, value_name = "KIND")]
    accel: Option<String>,
    /// Ask these DNS servers in place of those of /etc/resolv.conf
    #[arg(long, value_name = "SERVER")]
    dns_upstream: Vec<String>,
    /// A hosts file whose names the DNS proxy answers itself
    #[arg(long, value_name = "FILE")]
    dns_spoof: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// Whatever keeps a node from being ready; nothing of the cluster is left then.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.options);
    let settings = Settings::resolve(variables)?;
    let report = start(&settings, true)?;
    ui::result(cluster::table(&report.status));
    Ok(ExitCode::SUCCESS)
}

/// Starts the cluster that the settings describe and shows its progress.
///
/// # Errors
/// Whatever keeps a node from being ready; nothing of the cluster is left then.
pub fn start(settings: &Settings, replace: bool) -> Result<Report> {
    let params = params(settings, replace)?;
    let bar = Progress::sized("starting nodes", params.nodes.len() as u64, false);
    let report = crate::cluster::start(&params, &|event| show(&bar, &event))?;
    drop(bar);
    let nodes = report.status.nodes.len();
    let seconds = report.boot_time.as_secs_f32();
    ui::status("Started", format_args!("{nodes} nodes in {seconds:.1} s"));
    Ok(report)
}

fn show(bar: &Progress, event: &Event) {
    match event {
        Event::Fallback(reason) => {
            ui::warn(format_args!("nodes run without KVM, some ten times slower: {reason}"))
        }
        Event::Stopping => ui::status("Stopping", "the cluster that was there"),
        Event::Dns(port) => ui::status("Serving", format_args!("DNS at port {port}")),
        Event::Launched(node) => bar.message(format_args!("booting {node}")),
        Event::Ready(node, after) => {
            bar.advance(1);
            ui::status("Ready", format_args!("{node} after {:.1} s", after.as_secs_f32()));
        }
        Event::Unwinding => ui::status("Undoing", "what was started"),
    }
}

fn params(settings: &Settings, replace: bool) -> Result<StartParams> {
    let topology = super::topology::load(settings)?;
    let logs = settings.places.tmp.join(format!("cluster-{}", settings.cluster.name));
    let hosts = super::topology::write_hosts(settings, &topology, &logs)?;
    let cluster = &settings.cluster;
    Ok(StartParams {
        run_root: settings.places.run.clone(),
        cluster: cluster.name.clone(),
        logs,
        nodes: topology.nodes(&settings.counts(&topology), &settings.overrides()?)?,
        counts: None,
        program: cluster.qemu.clone(),
        machine: cluster.machine.clone(),
        qemu_options: words(&cluster.qemu_options),
        accel: accelerator(settings)?,
        boot: boot(settings)?,
        prefix: cluster.prefix.clone(),
        append: String::new(),
        net: net(settings),
        ports: ports(settings),
        dns: Some(dns_command(settings, &hosts)?),
        parallel: None,
        timeout: None,
        overcommit: false,
        replace,
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

fn accelerator(settings: &Settings) -> Result<Choice> {
    Ok(match settings.variables.or("__accel", "auto").as_str() {
        "auto" => Choice::Auto,
        "kvm" => Choice::Kvm,
        "tcg" => Choice::Tcg,
        other => anyhow::bail!("--accel={other}: kvm, tcg or auto is expected"),
    })
}

/// The images that a node boots from, which have to be there.
fn boot(settings: &Settings) -> Result<Boot> {
    let places = &settings.places;
    let readable = |path: &Path, what: &str, hint: &str| -> Result<PathBuf> {
        fs_err::File::open(path)
            .with_context(|| format!("no {what} to start nodes with; `{hint}` makes it"))?;
        Ok(path.to_path_buf())
    };
    let base_hint = "xcbuild up";
    let mut disks = vec![("base".to_owned(), readable(&places.image, "base image", base_hint)?)];
    // Nodes come up without overlays, too: `mkcdrom` without any removes the ISO.
    if places.cdrom.exists() {
        disks.push(("cdrom".to_owned(), readable(&places.cdrom, "cdrom", "xcbuild mkcdrom")?));
    }
    Ok(Boot {
        kernel: Some(readable(&places.kernel, "kernel", base_hint)?),
        initrd: Some(readable(&places.initramfs, "initramfs", base_hint)?),
        disks,
    })
}

fn net(settings: &Settings) -> UserNet {
    let cluster = &settings.cluster;
    UserNet {
        telnet_base: cluster.telnet_base,
        ssh_base: cluster.ssh_base,
        k8s_port: cluster.kubernetes_port,
        mcast_base: cluster.multicast_base,
        dns_port: cluster.dns_port,
        ..UserNet::default()
    }
}

/// Scripts rely on the ports of the cluster that has no name of its own; others are shown by
/// `status`.
fn ports(settings: &Settings) -> Policy {
    if settings.cluster.name == "default" { Policy::Given } else { Policy::FirstFree }
}

/// The DNS proxy is this program; it goes on after this process.
fn dns_command(settings: &Settings, hosts: &Path) -> Result<Vec<String>> {
    let program = std::env::current_exe().context("can't tell where xcbuild itself is")?;
    let mut words = vec![program.display().to_string(), "dns".into(), "serve".into()];
    words.push(format!("--hosts={}", hosts.display()));
    words.push(format!("--zone={}", super::topology::ZONE));
    for upstream in &settings.cluster.dns_upstream {
        words.push(format!("--dns-upstream={upstream}"));
    }
    Ok(words)
}
