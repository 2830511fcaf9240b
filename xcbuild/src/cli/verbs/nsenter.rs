//! `xcbuild nsenter`: a shell, or a command, in a cluster's network namespace.
//!
//! Only root may enter a namespace of `nsadd`. Who came by sudo is given back who he is, with the
//! one right that a cluster needs there: to change the network of that namespace (CAP_NET_ADMIN,
//! and CAP_NET_RAW for captures; of other namespaces' networks they say nothing, since entering
//! those needs root). The namespace of a rootless cluster is the user's own.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::cluster::caller::Caller;
use crate::cli::cluster::run_directory;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use xc_cluster::{RunDir, status};
use xc_net::host;
use xc_sys::exec::Exec;
use xc_sys::namespace;

/// The rights that are kept.
const RIGHTS: &str = "+net_admin,+net_raw";

/// Get a shell in a network namespace, or run a command in it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The number of a namespace of `nsadd`, or the name of a running cluster [default: the cluster]
    namespace: Option<String>,
    /// The command [default: $SHELL]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "nsenter";

    /// Runs the verb; on success this process becomes the command.
    ///
    /// # Errors
    /// When there is no such namespace, or we may not enter it.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let command = match self.command.as_slice() {
            [] => vec![invocation.host()?.shell],
            command => command.to_vec(),
        };
        let number = self.namespace.as_deref().map(str::parse::<u8>);
        let words = match number {
            Some(Ok(index)) => of_number(index, &invocation)?,
            _ => of_cluster(self.namespace.as_deref(), &invocation)?,
        };
        let line = [words, command].concat();
        let Some((program, args)) = line.split_first() else { bail!("an empty command") };
        Err(Exec::new(program).args(args).replace().into())
    }
}

/// The words that enter a namespace of `nsadd`.
fn of_number(index: u8, invocation: &Invocation) -> Result<Vec<String>> {
    let caller = Caller::of(&invocation.host()?)?;
    let name = caller.namespace(index);
    let path = namespace::path(&name);
    if !path.exists() {
        bail!("there is no namespace {name}; `xcbuild nsadd {index}` makes it");
    }
    host::need_root("nsenter")?;
    let mut words = vec!["nsenter".into(), format!("--net={}", path.display()), "--".into()];
    if let Some((user, group)) = caller.ids {
        words.extend(["setpriv".into(), format!("--reuid={user}"), format!("--regid={group}")]);
        words.push("--init-groups".into());
        words.extend([format!("--inh-caps={RIGHTS}"), format!("--ambient-caps={RIGHTS}")]);
        words.push("--".into());
    }
    Ok(words)
}

/// The words that enter a cluster's namespace.
fn of_cluster(name: Option<&str>, invocation: &Invocation) -> Result<Vec<String>> {
    let settings = invocation.settings()?;
    let run = match name {
        Some(name) => RunDir::new(&settings.places.run, &name.parse()?, &crate::ui::reporter())?,
        None => run_directory(&settings)?,
    };
    let status = status(&run)?;
    if !status.exists {
        bail!(
            "the cluster `{}` does not run; `xcbuild nsenter 1` enters a namespace of `nsadd`",
            run.name()
        );
    }
    if status.netns_prefix.is_empty() {
        bail!("the cluster `{}` has no namespace other than this one", run.name());
    }
    Ok(status.netns_prefix)
}
