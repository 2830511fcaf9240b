//! The way of a name, walked step by step from the host's resolver to a node, to find the step that
//! fails. It is the list that users go through by hand.
//!
//! | step | what is tried |
//! |---|---|
//! | resolver | the servers that the proxy asks: there are some, and not on a loopback that it can't reach |
//! | upstream | each of them answers us |
//! | proxy | the proxy answers on its port: UDP and TCP, IPv4 and, where the host has it, IPv6 |
//! | proxy's servers | they are those that the host's resolver has now |
//! | forwarding | through the proxy, the outside is known |
//! | NAT | with `netns`, the namespace's rules are there |
//! | node to proxy | a node asks the proxy directly, over IPv4 and IPv6 |
//! | node's server | the node's own server answers, and knows the outside |
//! | node's cache | what it has is from the proxy as it is now |
//!
//! Each step relies on those before it; all are tried, since what works tells as much.

mod ask;
mod node;
mod proxy;
mod remedy;
mod rules;

use std::net::{Ipv6Addr, UdpSocket};

use anyhow::Result;
use serde::Serialize;

use self::rules::table_step;
use super::check::Verdict;
use super::{Cluster, RunDir};
use xc_net::namespace::host_link;
use xc_topology::address::Prefix;

/// Why a step over IPv6 isn't tried.
const NO_IPV6: &str = "this host has no IPv6";

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was tried.
    pub step: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do about it, if it failed.
    pub remedy: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Names {
    /// A name that the proxy knows itself.
    pub own: String,
    /// A name that its servers know; `.` asks who serves the root.
    pub outside: String,
}

/// Walks the way in the namespace that this process is in.
///
/// # Errors
/// When the cluster does not run.
pub fn walk(run: &RunDir, prefix: &Prefix, names: &Names) -> Result<Vec<Step>> {
    let cluster = Cluster::open(run)?;
    let ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let mut walk = Walk { cluster: &cluster, prefix, names, ipv6, steps: Vec::new() };
    walk.upstreams();
    walk.proxy();
    walk.translation();
    walk.node();
    Ok(walk.steps)
}

/// What is outside of the namespace in which the walk is to begin.
#[derive(Debug)]
pub struct Outside {
    /// The host's rule for the namespace: its veth's network is masqueraded.
    pub steps: Vec<Step>,
    /// The words that enter the namespace, up to the program.
    pub netns_prefix: Vec<String>,
}

/// Looks at what is outside of the cluster's namespace, where it has one that others share and we are
/// not in it; `None` if the walk can begin here.
///
/// # Errors
/// When the cluster's state can't be read.
pub fn outside(run: &RunDir) -> Result<Option<Outside>> {
    let Some(cluster) = Cluster::find(run)? else { return Ok(None) };
    let network = &cluster.state().network;
    let netns_prefix = network.netns_prefix();
    let translation = network.translation().filter(|_| !netns_prefix.is_empty());
    Ok(translation.map(|translation| {
        let steps = translation.namespace.iter().map(|index| host_rule(index)).collect();
        Outside { steps, netns_prefix }
    }))
}

fn host_rule(index: &str) -> Step {
    let mut step = table_step("NAT on the host", &host_link(index), &[]);
    if step.verdict == Verdict::Failed {
        let remake = format!("`sudo -E xcbuild nsdel {index}; sudo -E xcbuild nsadd {index}`");
        step.remedy = Some(format!("{remake} makes it again"));
    }
    step
}

struct Walk<'a> {
    cluster: &'a Cluster,
    prefix: &'a Prefix,
    names: &'a Names,
    /// Whether the host has IPv6, at least on its loopback.
    ipv6: bool,
    steps: Vec<Step>,
}

impl Walk<'_> {
    fn step(&mut self, step: impl Into<String>, seen: Result<String, String>, remedy: &str) {
        let (verdict, seen, remedy) = match seen {
            Ok(seen) => (Verdict::Ok, seen, None),
            Err(seen) => (Verdict::Failed, seen, Some(remedy.to_owned())),
        };
        self.steps.push(Step { step: step.into(), verdict, seen, remedy });
    }

    fn skip(&mut self, step: impl Into<String>, why: &str) {
        let (step, seen) = (step.into(), why.to_owned());
        self.steps.push(Step { step, verdict: Verdict::Skipped, seen, remedy: None });
    }

    /// In a namespace of `nsadd`, what leads out of it.
    fn translation(&mut self) {
        let Some(translation) = self.cluster.state().network.translation() else { return };
        let prefix = self.cluster.state().network.netns_prefix();
        let mut step = table_step("NAT in the namespace", translation.table, &prefix);
        if step.verdict == Verdict::Failed {
            step.remedy = Some(translation.remedy);
        }
        self.steps.push(step);
    }
}
