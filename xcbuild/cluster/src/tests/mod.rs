//! The life of clusters, with real qemus that have nothing to boot: the test speaks in their
//! nodes' place, by writing into their agent files once their control sockets answer.

mod consoles;
mod network;
mod nodes;
mod ports;
mod starting;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xc_report::Reporter;

use self::ports::Ports;
use super::host::{Watch, local};
use super::network::Kind;
use super::start::BootParams;
use super::state::NodeState;
use super::{Event, Report, RunDir, StartParams, start, stop};
use xc_net::bridges::{bridge, tap};
use xc_topology::address::NodeId;
use xc_topology::fixture::node;
use xc_topology::{Interface, Node};
use xc_vm::accel::Choice;
use xc_vm::command::Boot;
use xc_vm::port::{Carrier, Port};
use xc_vm::process::end;
use xc_vm::qmp::Qmp;

const LONG: Duration = Duration::from_secs(120);

/// A cluster to be: its directory is removed, and what runs is ended, whatever the test does.
struct Bench {
    directory: tempfile::TempDir,
    params: StartParams,
    /// Held for as long as its nodes may run.
    _ports: Ports,
}

impl Bench {
    /// Nodes of two networks, none above 20; each cluster has ports of its own.
    fn new(nodes: &[u8]) -> Self {
        let ports = Ports::free();
        let directory = tempfile::Builder::new().prefix("xc-test-").tempdir().unwrap();
        let run =
            RunDir::new(&directory.path().join("run"), &"c".parse().unwrap(), &Reporter::silent())
                .unwrap();
        let boot = BootParams {
            boot: Boot { kernel: None, initrd: None, disks: vec![] },
            append: String::new(),
            reports_ready: true,
        };
        let nodes = nodes.iter().map(|n| node(*n, &[0, 1])).collect();
        let mut params = StartParams::new(run, &directory.path().join("logs"), nodes, boot);
        params.machine.accel = Choice::Tcg;
        params.network.choice = crate::network::Choice::Requested(Kind::FALLBACK);
        params.network.ports = ports.net.clone();
        params.bring_up.timeout = Some(LONG);
        Self { directory, params, _ports: ports }
    }

    fn run(&self) -> RunDir {
        self.params.run.clone()
    }

    /// The run directory of another cluster next to it.
    fn run_of(&self, name: &str) -> RunDir {
        RunDir::new(self.params.run.root(), &name.parse().unwrap(), &Reporter::silent()).unwrap()
    }

    /// Starts it; each node says `words` once its qemu is there.
    fn start(&self, words: &str) -> anyhow::Result<Report> {
        self.speaking(words, start)
    }

    /// Does something during which nodes are launched; each says that it is ready.
    fn by_event<T>(&self, act: impl FnOnce(&StartParams, &dyn Fn(Event)) -> T) -> T {
        self.speaking("hello\nready vm\n", act)
    }

    fn speaking<T>(&self, words: &str, act: impl FnOnce(&StartParams, &dyn Fn(Event)) -> T) -> T {
        let run = &self.run();
        std::thread::scope(|scope| {
            act(&self.params, &|event| {
                if let Event::Launched(node) = event {
                    scope.spawn(move || speak(run, node, &agent(run, node), words));
                }
            })
        })
    }

    fn started(&self) -> Report {
        self.start("hello\nready vm\n").unwrap()
    }

    fn assert_nothing_left(&self) {
        assert_eq!(stop::find(&*local(), &self.run()), []);
        let left: Vec<_> = std::fs::read_dir(self.params.run.root()).unwrap().flatten().collect();
        let mut names: Vec<_> = left.iter().map(|e| e.file_name()).collect();
        // Which a start makes once it may be.
        names
            .retain(|name| name != "ports.lock" && !name.as_encoded_bytes().starts_with(b".boot-"));
        assert!(names.is_empty(), "{names:?}");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let processes = stop::find(&*local(), &self.run());
        end(&processes.into_iter().map(|(process, _)| process).collect::<Vec<_>>());
    }
}

/// A node as it is recorded, on taps.
pub(crate) fn node_state(node: &Node) -> NodeState {
    let port = |i: &Interface| {
        let carrier =
            Carrier::Tap { name: tap(node.id, i.network), bridge: Some(bridge(i.network)) };
        Port::Netdev { netdev: String::new(), queues: 1, carrier }
    };
    let ports: Vec<_> = node.interfaces.iter().map(port).collect();
    NodeState::new(node, &ports, Vec::new())
}

pub(crate) fn id(number: u8) -> NodeId {
    NodeId::new(number).unwrap()
}

/// The file of what a node says.
fn agent(run: &RunDir, node: NodeId) -> PathBuf {
    run.node(node, Path::new("/")).agent_log
}

/// Says something in a node's place: when its control socket answers, qemu has opened its files.
fn speak(run: &RunDir, node: NodeId, file: &Path, words: &str) {
    let paths = run.node(node, Path::new("/"));
    let Ok(watch) = Watch::new(&[&run.path()]) else { return };
    let deadline = Instant::now() + LONG;
    while Qmp::connect(&paths.qmp, LONG).is_err() {
        // A start that was given up has removed the directory.
        if !run.path().exists() || Instant::now() > deadline {
            return;
        }
        watch.wait(&[], Instant::now() + Duration::from_millis(20)).unwrap();
    }
    if let Ok(mut file) = OpenOptions::new().append(true).open(file) {
        file.write_all(words.as_bytes()).unwrap();
    }
}
