//! `xcbuild nsadd`: a network namespace for a cluster, joined to the host.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::caller::Caller;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::settings::table::verbs::NamespaceSettings;
use crate::ui;
use xc_net::namespace::{Request, plan};
use xc_net::{host, op};

/// Make the network namespace USER_xcluster<I>, with bridges, joined to the host
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
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
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let caller = Caller::of(&invocation.host()?)?;
        let settings = invocation.settings()?;
        let bases: NamespaceSettings = invocation.read()?;
        let request = Request {
            user: caller.user,
            index: self.index,
            ipv4_base: bases.ipv4_base,
            ipv6_prefix: bases.ipv6_prefix,
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
