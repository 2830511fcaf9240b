//! `xcbuild nsadd`: a network namespace for a cluster, joined to the host.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;

use super::namespace::Caller;
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_net::namespace::{Request, plan};
use xc_net::{host, op};

/// Make the network namespace USER_xcluster<I>, with bridges, joined to the host
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    networks: Networks,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Its number
    index: u8,
}

/// Whatever the contract's command takes.
#[derive(Debug, clap::Args)]
pub struct Docker {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

/// The networks between namespaces and the host; also read from the environment.
#[derive(Debug, clap::Args, Serialize)]
struct Networks {
    /// IPv4 network of which each namespace takes four addresses [default: 172.30.0.0/24]
    #[arg(long, value_name = "NETWORK")]
    ipv4_base: Option<String>,
    /// IPv6 addresses are this and the IPv4 address [default: fd00:1723::]
    #[arg(long, value_name = "PREFIX")]
    ipv6_prefix: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// When the namespace can't be made; nothing of it is left then.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    set_options(&mut variables, &arguments.networks);
    let caller = Caller::of(&variables)?;
    let settings = Settings::resolve(variables)?;
    let request = Request {
        user: caller.user,
        index: arguments.index,
        ipv4_base: settings.variables.or("__ipv4_base", "172.30.0.0/24"),
        ipv6_prefix: settings.variables.or("__ipv6_prefix", "fd00:1723::"),
        prefix: settings.cluster.prefix.clone(),
    };
    let plan = plan(&request)?;
    if arguments.dry_run {
        ui::result(format_args!("# on the host\n{}", op::text(&plan.host)));
        ui::result(format_args!("# in {}\n{}", plan.name, op::text(&plan.cluster)));
        return Ok(ExitCode::SUCCESS);
    }
    host::add(&plan, &ui::reporter())?;
    ui::status("Made", format_args!("namespace {}", plan.name));
    ui::hint(format_args!("`xcbuild nsenter {}` gets a shell in it", arguments.index));
    Ok(ExitCode::SUCCESS)
}

/// `nsadd_docker`, which joined a namespace to Docker's bridge.
///
/// # Errors
/// Always.
pub fn docker() -> Result<ExitCode> {
    bail!(
        "nsadd_docker is not built: `xcbuild nsadd N` makes a namespace that is joined to the host, \
         through which containers on Docker's bridge are reached, too; a script in __net_setup wires \
         nodes to any other bridge"
    )
}
