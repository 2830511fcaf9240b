//! `xcbuild tcpdump`: captures by a node's own tcpdump, as in the contract.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::access::Target;
use xc_topology::address::NodeId;

/// Where captures end.
const DIRECTORY: &str = "/tmp";

/// Capture on a node by its own tcpdump (of the overlay iptools)
///
/// `--start` begins, `--get` ends it and fetches the capture to /tmp/vm-NNN-IFACE.pcap. `xcbuild
/// capture` needs nothing in the node.
#[derive(Debug, clap::Args)]
#[command(override_usage = "xcbuild tcpdump --start N IFACE [TCPDUMP-OPTION…]
       xcbuild tcpdump --get N IFACE…")]
pub(crate) struct Arguments {
    /// Begin a capture on an interface; what follows is given to tcpdump
    #[arg(long, required_unless_present = "get", conflicts_with = "get")]
    start: bool,
    /// End the captures on these interfaces, and fetch them
    #[arg(long)]
    get: bool,
    /// The node, as in 1 or vm-001
    node: NodeId,
    /// The interface, as in eth1; or any
    #[arg(value_name = "IFACE", value_parser = interface)]
    interface: String,
    /// More interfaces, or options of tcpdump
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "tcpdump";

    /// Runs the verb.
    ///
    /// # Errors
    /// When the node can't be reached, has no tcpdump or no such interface, or no capture runs.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let target = Target::find(&cluster::run_directory(&settings)?, self.node)?;
        if self.start {
            ask(&target, &start(&self.interface, &self.rest))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut interfaces = vec![self.interface.clone()];
        for text in &self.rest {
            interfaces.push(interface(text).map_err(anyhow::Error::msg)?);
        }
        interfaces.iter().try_for_each(|name| get(&target, name))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Names are put into a shell's words and files' names.
fn interface(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    let good = !text.is_empty() && text.len() < 16 && text.bytes().all(plain);
    let good = good && !text.starts_with(['-', '.']);
    if good { Ok(text.into()) } else { Err("an interface's name is expected, as in eth1".into()) }
}

/// The script that starts tcpdump and ends when it listens.
fn start(interface: &str, options: &[String]) -> String {
    let options: Vec<_> =
        options.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    let options = options.join(" ");
    // As root: the user that Debian's tcpdump would become is not in nodes. Immediately: what waits
    // in the kernel's buffer for more frames would be lost at the end.
    format!(
        "at=/run/tcpdump-{interface}
         command -v tcpdump >/dev/null || {{ echo 'it has no tcpdump; the overlay iptools brings it' >&2; exit 1; }}
         [ ! -e $at.pid ] || ! kill -0 $(cat $at.pid) 2>/dev/null ||
             {{ echo 'a capture on {interface} runs already; --get ends it' >&2; exit 1; }}
         setsid tcpdump -Z root -U --immediate-mode -i {interface} -w $at.pcap {options} </dev/null >/dev/null 2>$at.log &
         echo $! >$at.pid
         while kill -0 $(cat $at.pid) 2>/dev/null; do
             ! grep -q 'listening on' $at.log || exit 0
             sleep 0.05
         done
         cat $at.log >&2; exit 1"
    )
}

fn get(target: &Target, interface: &str) -> Result<()> {
    let script = format!(
        "at=/run/tcpdump-{interface}
         [ -e $at.pid ] || {{ echo 'no capture on {interface} was started' >&2; exit 1; }}
         kill -INT $(cat $at.pid) 2>/dev/null
         while kill -0 $(cat $at.pid) 2>/dev/null; do sleep 0.05; done
         rm $at.pid; cat $at.log"
    );
    let said = ask(target, &script)?;
    let local = PathBuf::from(DIRECTORY).join(format!("{}-{interface}.pcap", target.node));
    let status = target.fetch(&format!("/run/tcpdump-{interface}.pcap"), &local)?;
    if !status.success() {
        bail!("can't fetch the capture on {interface} of {}", target.node);
    }
    let count = said.lines().find(|line| line.ends_with("captured")).unwrap_or_default();
    ui::status("Fetched", format_args!("{count} {}", local.display()));
    ui::result(local.display());
    Ok(())
}

/// Runs a script in the node and gives what it printed.
fn ask(target: &Target, script: &str) -> Result<String> {
    let (status, output) = target.capture(&[script.to_owned()])?;
    if !status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let why = if why.is_empty() { "ssh can't reach it".to_owned() } else { why };
        bail!("{}: {why}", target.node);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
