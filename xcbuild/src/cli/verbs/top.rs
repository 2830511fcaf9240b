//! `xcbuild top`: a cluster on the whole screen, as it changes.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::top::draw::{View, draw};
use crate::top::model::{self, Sample};
use crate::ui::screen::{Key, Screen};
use xc_cluster::{RunDir, console, live, status};
use xc_sys::cancel;

/// How often shares of processors are counted anew; what happens to nodes is seen at once.
const INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two samples, so that shares of processors mean something.
const SHORTEST: Duration = Duration::from_millis(500);

/// Show nodes, networks and consoles of a cluster on the whole screen, as they change
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Verb for Arguments {
    const NAME: &'static str = "top";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is no terminal, or the cluster's state can't be read.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let run = cluster::run_directory(&settings)?;
        let Some(mut screen) = Screen::open().context("can't set up the terminal")? else {
            bail!("top needs a terminal; {} needs none", run.name().command("status --watch"));
        };
        let mut now = sample(&run)?;
        let (mut before, mut chosen, mut whole) = (None::<Sample>, 0_usize, false);
        loop {
            let view = view(&run, &now, before.as_ref(), chosen, whole);
            screen.draw(|frame| draw(&view, frame)).context("can't draw")?;
            let deadline = Instant::now() + INTERVAL;
            match live::changed(&run, &now.status, Some(io::stdin().as_fd()), deadline) {
                Err(_) if cancel::requested() => return Ok(ExitCode::SUCCESS),
                result => result?,
            };
            while let Some(key) = screen.key().context("can't read the keyboard")? {
                match key {
                    Key::Back if whole => whole = false,
                    Key::Quit | Key::Back => return Ok(ExitCode::SUCCESS),
                    Key::Up => chosen = chosen.saturating_sub(1),
                    Key::Down => {
                        chosen = (chosen + 1).min(now.status.nodes.len().saturating_sub(1))
                    }
                    Key::Enter => whole = !whole,
                    Key::Other => {}
                }
            }
            let next = sample(&run)?;
            if before.as_ref().is_none_or(|before| now.at - before.at >= SHORTEST) {
                before = Some(now);
            }
            now = next;
        }
    }
}

fn sample(run: &RunDir) -> Result<Sample> {
    Ok(Sample { status: status(run)?, at: Instant::now() })
}

fn view(run: &RunDir, now: &Sample, before: Option<&Sample>, chosen: usize, whole: bool) -> View {
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let node = now.status.nodes.get(chosen).map(|node| node.number);
    View {
        headline: model::headline(&now.status, epoch),
        nodes: model::nodes(now, before),
        networks: model::networks(&now.status),
        chosen,
        console: node.map(|node| console::end_lines(run, node, 200)).unwrap_or_default(),
        whole,
    }
}
