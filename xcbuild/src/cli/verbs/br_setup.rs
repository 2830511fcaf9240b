//! `xcbuild br_setup`: one more bridge in a cluster's namespace.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::verb::Verb;
use crate::settings::Invocation;
use xc_net::apply::{apply, existing};
use xc_net::bridges;
use xc_sys::exec::Exec;
use xc_topology::address::NetworkId;

/// Make the bridge xcbr<N> here, with the host's addresses of network N on it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The network
    network: NetworkId,
    /// Options for `ip link set`, as in: mtu 9000
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "br_setup";

    /// Runs the verb. A bridge that is there is kept; the options are set all the same.
    ///
    /// # Errors
    /// When we may not change this namespace's network, or an option is none.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let name = bridges::bridge(self.network);
        if existing([name.as_str()])?.is_empty() {
            apply(&bridges::bridge_ops(self.network, &settings.cluster.prefix))?;
        }
        if !self.options.is_empty() {
            Exec::new("ip").args(["link", "set", "dev", &name]).args(&self.options).output()?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
