//! `xcbuild nsenter`: a shell, or a command, in a cluster's network namespace.
//!
//! Only root may enter a namespace of `nsadd`. Who came by sudo is given back who he is, with the
//! one right that a cluster needs there: to change the network of that namespace (CAP_NET_ADMIN,
//! and CAP_NET_RAW for captures; of other namespaces' networks they say nothing, since entering
//! those needs root).

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::namespace::Caller;
use crate::net::host;
use crate::settings::Variables;
use crate::sys::exec::Exec;
use crate::sys::namespace;

/// The rights that are kept.
const RIGHTS: &str = "+net_admin,+net_raw";

/// Get a shell in a network namespace of `nsadd`, or run a command in it
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Its number
    index: u8,
    /// The command [default: $SHELL]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs the verb; on success this process becomes the command.
///
/// # Errors
/// When there is no such namespace, or we may not enter it.
pub fn run(arguments: &Arguments, variables: &Variables) -> Result<ExitCode> {
    let caller = Caller::of(variables)?;
    let name = caller.namespace(arguments.index);
    let path = namespace::path(&name);
    if !path.exists() {
        bail!("there is no namespace {name}; `xcbuild nsadd {}` makes it", arguments.index);
    }
    host::need_root("nsenter")?;
    let mut words = vec![format!("--net={}", path.display()), "--".into()];
    if let Some((user, group)) = caller.ids {
        words.extend(["setpriv".into(), format!("--reuid={user}"), format!("--regid={group}")]);
        words.push("--init-groups".into());
        words.extend([format!("--inh-caps={RIGHTS}"), format!("--ambient-caps={RIGHTS}")]);
        words.push("--".into());
    }
    match arguments.command.as_slice() {
        [] => words.push(variables.or("SHELL", "/bin/sh")),
        command => words.extend(command.iter().cloned()),
    }
    Err(Exec::new("nsenter").args(words).replace().into())
}
