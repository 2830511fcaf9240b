//! `xcbuild topology show`: a topology to look at.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::cli::cluster;
use crate::cli::cluster::topology_file;
use crate::cli::verb::Verb;
use crate::settings::{Invocation, Settings};
use crate::ui;
use xc_cluster::status;
use xc_cluster::status::NodeCondition;
use xc_topology::show::{State, View, dot, mermaid, svg, text};
use xc_topology::{Node, NodeError};

/// Show the topologies
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Subcommand,
}

impl Verb for Arguments {
    const NAME: &'static str = "topology";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is no such topology, or it has no place for a node.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let Subcommand::Show(show) = &self.verb;
        let mut settings = invocation.settings()?;
        if let Some(name) = &show.name {
            settings.build.topology.clone_from(name);
        }
        let view = view(&settings, show.live)?;
        let text = match show.format {
            Format::Text => text(&view),
            Format::Svg => svg(&view),
            Format::Dot => dot(&view),
            Format::Mermaid => mermaid(&view),
            Format::Json => view.json()?,
        };
        ui::result_bytes(text.as_bytes());
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Show(Show),
}

/// Print a topology with its networks, nodes and addresses
#[derive(Debug, clap::Args)]
struct Show {
    /// Which [default: that of TOPOLOGY, xnet]
    name: Option<String>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The nodes of the running cluster and their state, not those that would be started
    #[arg(long)]
    live: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Tables
    Text,
    /// A picture
    Svg,
    /// Input of Graphviz
    Dot,
    /// A graph as Markdown viewers draw it
    Mermaid,
    /// All that is known, for programs
    Json,
}

fn view(settings: &Settings, live: bool) -> Result<View> {
    let topology = topology_file::load(settings)?;
    let overrides = settings.overrides();
    if !live {
        let nodes = topology.nodes(&settings.counts(&topology), &overrides)?;
        return Ok(View::of(&topology, &nodes, &overrides));
    }
    let running = status(&cluster::run_directory(settings)?)?;
    if !running.exists {
        bail!("the cluster `{}` does not run; without --live, the plan is shown", running.cluster);
    }
    let nodes = running.nodes.iter().map(|node| topology.node(node.number, &overrides));
    let nodes = nodes
        .collect::<Result<Vec<Node>, NodeError>>()
        .context("the running cluster was started with another topology")?;
    let mut view = View::of(&topology, &nodes, &overrides);
    for node in &running.nodes {
        let state = state(node.condition);
        view.set_node(node.number, state);
        for link in &node.links {
            let link_state = if link.up { state } else { State::Down };
            view.set_link(node.number, link.network, link_state, &link.impaired.to_string());
        }
    }
    Ok(view)
}

fn state(condition: NodeCondition) -> State {
    match condition {
        NodeCondition::Ready => State::Up,
        NodeCondition::Waiting | NodeCondition::Booting => State::Unknown,
        NodeCondition::Failed | NodeCondition::Paused | NodeCondition::Dead => State::Down,
    }
}
