//! `xcbuild link`: faults of links while the cluster runs.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::cli::cluster::{self, tables};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::link::Change;
use xc_cluster::status;
use xc_cluster::status::LinkStatus;
use xc_cluster::{Cluster, ClusterError, ClusterName, ErrorKind, Status};
use xc_topology::Netem;
use xc_topology::address::{NetworkId, NodeId};
use xc_topology::impairment::End;

/// Take a node's link down or up, delay and drop its packets, or show what links do
///
/// `--down` unplugs the node's network card: the node sees its carrier go. The other faults are
/// netem queues in the node's kernel, for what it sends (`--direction out`), receives (`in`), or
/// both. What is given is added to what was set; a value of 0 takes one setting off, `--clear` all.
/// A node that xcbuild restarts or resets gets its faults again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  xcbuild link 201 2 --delay 50ms --loss 1%    what vm-201 sends on network 2
  xcbuild link 1 1 --down
  xcbuild link 1 1 --up --clear
  xcbuild link                                 all links")]
pub(crate) struct Arguments {
    /// Take the link up
    #[arg(long, conflicts_with = "down", requires = "network")]
    up: bool,
    /// Take the link down
    #[arg(long, requires = "network")]
    down: bool,
    /// Take off all impairments, in both directions, before others are set
    #[arg(long, requires = "network")]
    clear: bool,
    #[command(flatten)]
    netem: Options,
    /// Which packets are impaired: those that the node sends (out), receives (in), or both
    #[arg(long, value_enum, default_value_t = Direction::Out, requires = "network")]
    direction: Direction,
    /// For programs
    #[arg(long)]
    json: bool,
    /// The node, as in 1 or vm-001; without one, all links are shown
    node: Option<NodeId>,
    /// The network's number; without one, the node's links are shown
    network: Option<NetworkId>,
}

impl Verb for Arguments {
    const NAME: &'static str = "link";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is no such link, a setting is none, or the node can't be reached.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let run = cluster::run_directory(&settings)?;
        let change = self.change()?;
        if let (Some(change), Some(node), Some(network)) = (change, self.node, self.network) {
            let link = Cluster::lock(&run)?.change_link(node, network, &change)?;
            ui::status("Link", format_args!("{node} network {network}: {}", described(&link)));
            return Ok(ExitCode::SUCCESS);
        }
        show(self, &status(&run)?)
    }
}

/// What happens to packets; the names are those of a topology file.
#[derive(Debug, clap::Args)]
struct Options {
    /// Hold each packet so long: 50ms; us, ms or s
    #[arg(long, value_name = "TIME", requires = "network")]
    delay: Option<String>,
    /// Vary the delay by so much: 5ms
    #[arg(long, value_name = "TIME", requires = "network")]
    jitter: Option<String>,
    /// Drop that share of the packets: 1%
    #[arg(long, value_name = "SHARE", requires = "network")]
    loss: Option<String>,
    /// Send that share at once, ahead of those delayed: 5%
    #[arg(long, value_name = "SHARE", requires = "network")]
    reorder: Option<String>,
    /// Send that share twice: 1%
    #[arg(long, value_name = "SHARE", requires = "network")]
    duplicate: Option<String>,
    /// Send no more than that: 10mbit; bit, kbit, mbit or gbit
    #[arg(long, value_name = "RATE", requires = "network")]
    rate: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Direction {
    In,
    Out,
    Both,
}

impl Arguments {
    /// What is wanted, if anything is.
    fn change(&self) -> Result<Option<Change>> {
        let (netem, off) = self.netem.parsed()?;
        let up = if self.up || self.down { Some(self.up) } else { None };
        let impairs = !netem.is_sound() || !off.is_empty();
        if up.is_none() && !self.clear && !impairs {
            return Ok(None);
        }
        let ends = match self.direction {
            _ if !impairs => Vec::new(),
            Direction::In => vec![End::Host],
            Direction::Out => vec![End::Node],
            Direction::Both => vec![End::Node, End::Host],
        };
        Ok(Some(Change { up, clear: self.clear, ends, netem, off }))
    }
}

impl Options {
    /// The settings that are set, and the names of those that are taken off.
    fn parsed(&self) -> Result<(Netem, Vec<&'static str>)> {
        let given =
            [&self.delay, &self.jitter, &self.loss, &self.reorder, &self.duplicate, &self.rate];
        let (mut netem, mut off) = (Netem::default(), Vec::new());
        for (field, value) in Netem::FIELDS.iter().zip(given) {
            let Some(value) = value else { continue };
            let before = netem.clone();
            if let Err(problem) = netem.set(field, value) {
                bail!("--{problem}");
            }
            if netem == before {
                off.push(*field);
            }
        }
        Ok((netem, off))
    }
}

fn described(link: &LinkStatus) -> String {
    let faults = link.faults();
    if faults.is_empty() { "up, sound".into() } else { faults }
}

fn show(arguments: &Arguments, status: &Status) -> Result<ExitCode> {
    let wanted = |node: NodeId| arguments.node.is_none_or(|wanted| wanted == node);
    let on = |network: NetworkId| arguments.network.is_none_or(|wanted| wanted == network);
    let nodes = status.nodes.iter().filter(|n| wanted(n.number));
    let links: Vec<_> = nodes
        .flat_map(|node| node.links.iter().map(move |link| (node.name.as_str(), link)))
        .filter(|(_, link)| on(link.network))
        .collect();
    if links.is_empty() {
        match arguments.node.filter(|_| status.exists) {
            Some(node) => bail!(no_such_link(&status.cluster, node)),
            None => bail!(status.cluster.not_running()),
        }
    }
    if arguments.json {
        ui::result(serde_json::to_string_pretty(&links)?);
        return Ok(ExitCode::SUCCESS);
    }
    ui::result(table(&links));
    Ok(ExitCode::SUCCESS)
}

fn no_such_link(cluster: &ClusterName, node: NodeId) -> ClusterError {
    let problem = format_args!("there is no such link of {node}");
    let all = cluster.command("link").hint("shows all");
    ClusterError::new(ErrorKind::Conflict, problem).with_hint(all)
}

fn table(links: &[(&str, &LinkStatus)]) -> String {
    let row = |(node, link): &(&str, &LinkStatus)| {
        let netem = |netem: &Netem| match netem.settings() {
            text if text.is_empty() => "-".to_owned(),
            text if link.lost => format!("{text} (lost when the node booted)"),
            text => text,
        };
        let carrier = if link.up { "up" } else { "down" }.to_owned();
        let (sends, receives) = (netem(&link.impaired.sends), netem(&link.impaired.receives));
        [(*node).to_owned(), link.network.to_string(), carrier, sends, receives]
    };
    tables::aligned(["NODE", "NETWORK", "LINK", "OUT", "IN"], links.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::no_such_link;
    use xc_topology::address::NodeId;

    #[test]
    fn hints_are_about_the_cluster_that_was_asked() {
        let error = no_such_link(&"ci".parse().unwrap(), NodeId::new(201).unwrap());
        assert_eq!(
            crate::ui::causes(&error.into()),
            "there is no such link of vm-201; `xcbuild link --cluster=ci` shows all"
        );
    }
}
