//! `xcbuild rcp`: files from a node, or to it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::cluster;
use crate::cli::cluster::exit_codes::ended;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use xc_cluster::access::Target;
use xc_topology::address::NodeId;

const EXAMPLES: &str = "\
Examples:
  xcbuild rcp vm-001 /var/log/messages .        from the node to here
  xcbuild rcp --to vm-001 /root/ ./my-file      from here to the node";

/// Copy a file or directory from a node, or with --to to one, by scp
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Copy to the node: LOCAL is then the source and REMOTE the target
    #[arg(long)]
    to: bool,
    /// The node, as in 1 or vm-001
    node: NodeId,
    /// The path on the node
    remote: String,
    /// The path here
    local: PathBuf,
}

impl Verb for Arguments {
    const NAME: &'static str = "rcp";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is no such node running, or scp can't be started.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        absent_source(self)?;
        let settings = invocation.settings()?;
        let target = Target::find(&cluster::run_directory(&settings)?, self.node)?;
        let Arguments { to, remote, local, .. } = self;
        ended(if *to { target.send(local, remote) } else { target.fetch(remote, local) })
    }
}

/// Who copies to a node is easily led to name the source first, as for cp.
fn absent_source(arguments: &Arguments) -> Result<()> {
    let Arguments { to, node, remote, local, .. } = arguments;
    if *to && local.symlink_metadata().is_err() {
        bail!(
            "no `{}` here to copy to {node}; the order is `rcp --to NODE REMOTE LOCAL`, also with --to: `{remote}` is the path on the node",
            local.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Arguments, absent_source};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn source_that_is_not_here_is_told_with_the_order() {
        let of = |words: &[&str]| {
            let line = Line::try_parse_from([&["rcp"], words].concat()).unwrap();
            absent_source(&line.arguments).err().map(|e| e.to_string())
        };
        assert_eq!(of(&["vm-001", "/etc/hosts", "/no/such"]), None, "scp makes that one");
        assert_eq!(of(&["--to", "vm-001", "/root/", "/"]), None);
        insta::assert_snapshot!(of(&["--to", "vm-001", "/etc/x", "/no/such"]).unwrap(), @"no `/no/such` here to copy to vm-001; the order is `rcp --to NODE REMOTE LOCAL`, also with --to: `/etc/x` is the path on the node");
    }
}
