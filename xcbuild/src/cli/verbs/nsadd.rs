//! `xcbuild nsadd`: a network namespace for a cluster, joined to the host.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::cli::cluster::caller::Caller;
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_net::namespace::{Request, plan};
use xc_net::{host, op};

/// Make the network namespace USER_xcluster<I>, with bridges, joined to the host
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    networks: Networks,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Its number
    index: u8,
}

impl Verb for Arguments {
    const NAME: &'static str = "nsadd";

    /// Runs the verb.
    ///
    /// # Errors
    /// When the namespace can't be made; nothing of it is left then.
    fn run(&self, mut variables: Variables) -> Result<ExitCode> {
        set_options(&mut variables, &self.networks);
        let caller = Caller::of(&variables)?;
        let settings = Settings::resolve(variables)?;
        let request = Request {
            user: caller.user,
            index: self.index,
            ipv4_base: settings.variables.or("__ipv4_base", "172.30.0.0/24"),
            ipv6_prefix: settings.variables.or("__ipv6_prefix", "fd00:1723::"),
            prefix: settings.cluster.prefix.clone(),
        };
        let plan = plan(&request)?;
        if self.dry_run {
            ui::result(format_args!("# on the host\n{}", op::text(&plan.host)));
            ui::result(format_args!("# in {}\n{}", plan.name, op::text(&plan.cluster)));
            return Ok(ExitCode::SUCCESS);
        }
        host::add(&plan, &ui::reporter())?;
        ui::status("Made", format_args!("namespace {}", plan.name));
        ui::hint(format_args!("`xcbuild nsenter {}` gets a shell in it", self.index));
        Ok(ExitCode::SUCCESS)
    }
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
