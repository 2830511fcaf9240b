//! The life of clusters, with real qemus that have nothing to boot: the test speaks in their
//! nodes' place, by writing into their agent files once their control sockets answer.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use super::boot::NodeFailed;
use super::start::StartError;
use super::state::{Phase, State};
use super::status::NodeCondition;
use super::watch::Watch;
use super::{Event, Report, RunDir, StartParams, Stopped, console, life, start, status, stop};
use crate::net::ports::Policy;
use crate::net::user::UserNet;
use crate::sys::exec::Exec;
use crate::topology::address::{NodeId, Prefix};
use crate::vm::accel::Choice;
use crate::vm::command::Boot;
use crate::vm::process::{ProcessId, end};
use crate::vm::qmp::Qmp;
use crate::vm::tests::node;

const LONG: Duration = Duration::from_secs(120);

/// A cluster to be: its directory is removed, and what runs is ended, whatever the test does.
struct Bench {
    directory: tempfile::TempDir,
    params: StartParams,
}

impl Bench {
    /// Nodes of no networks but the maintenance one; each test has ports of its own by its slot.
    fn new(slot: u16, nodes: &[u8]) -> Self {
        let directory = tempfile::Builder::new().prefix("xc-test-").tempdir().unwrap();
        let params = StartParams {
            run_root: directory.path().join("run"),
            cluster: "c".into(),
            logs: directory.path().join("logs"),
            nodes: nodes.iter().map(|n| node(*n, &[0, 1])).collect(),
            counts: None,
            program: "qemu-system-x86_64".into(),
            machine: "pc".into(),
            qemu_options: vec![],
            accel: Choice::Tcg,
            boot: Boot { kernel: None, initrd: None, disks: vec![] },
            prefix: Prefix::default(),
            append: String::new(),
            net: UserNet::default().in_slot(slot),
            ports: Policy::Given,
            dns: None,
            parallel: None,
            timeout: Some(LONG),
            overcommit: false,
            replace: false,
        };
        Self { directory, params }
    }

    fn run(&self) -> RunDir {
        RunDir::new(&self.params.run_root, "c").unwrap()
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
        assert_eq!(stop::find(&self.run()), []);
        let left: Vec<_> = std::fs::read_dir(&self.params.run_root).unwrap().flatten().collect();
        let names: Vec<_> = left.iter().map(|e| e.file_name()).collect();
        assert_eq!(names, ["ports.lock"]);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let processes = stop::find(&self.run());
        end(&processes.into_iter().map(|(process, _)| process).collect::<Vec<_>>());
    }
}

fn id(number: u8) -> NodeId {
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

/// A process that has nothing to do with any cluster.
fn bystander(directory: &Path) -> (Child, ProcessId) {
    let fifo = directory.join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let null = || File::options().write(true).open("/dev/null").unwrap();
    let child = Exec::new("cat").arg(&fifo).detached(null(), null()).unwrap();
    let id = ProcessId::of(child.id() as i32).unwrap();
    (child, id)
}

#[test]
fn cluster_from_start_to_stop() {
    let bench = Bench::new(1, &[1, 201]);
    let run = bench.run();
    assert!(!status(&run).unwrap().exists);
    let report = bench.started();
    assert!(report.status.nodes.iter().all(|n| n.condition == NodeCondition::Ready));
    assert_eq!(status(&run).unwrap().contract_lines(), "alive 1\nalive 201\nAlive; 2");
    for name in ["001.qmp", "201.console"] {
        let mode = std::fs::metadata(run.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    let again = bench.start("").unwrap_err();
    let running = StartError::Running { cluster: "c".into(), alive: 2 };
    assert_eq!(again.downcast_ref(), Some(&running));
    assert_eq!(stop(&run).unwrap(), Stopped { existed: true, processes: 2 });
    assert_eq!(stop(&run).unwrap(), Stopped { existed: false, processes: 0 });
    bench.assert_nothing_left();
}

#[test]
fn logs_of_a_former_cluster_are_not_taken_for_this_ones() {
    let bench = Bench::new(11, &[1]);
    std::fs::create_dir(&bench.params.logs).unwrap();
    let console = bench.params.logs.join("vm-001.console.log");
    std::fs::write(console, "Kernel panic - not syncing: long ago\n").unwrap();
    assert_eq!(bench.started().status.alive(), 1);
    assert_eq!(stop(&bench.run()).unwrap().processes, 1);
}

#[test]
fn kernel_that_panics_ends_the_start() {
    let bench = Bench::new(12, &[1]);
    let run = &bench.run();
    let console = &bench.params.logs.join("vm-001.console.log");
    let error = std::thread::scope(|scope| {
        start(&bench.params, &|event| {
            if let Event::Launched(node) = event {
                let words = "[ 0.5] Kernel panic - not syncing: no init\n---\n";
                scope.spawn(move || speak(run, node, console, words));
            }
        })
    });
    let failed = error.unwrap_err().downcast::<NodeFailed>().unwrap();
    assert_eq!(failed.reason, "Kernel panic - not syncing: no init");
    bench.assert_nothing_left();
}

#[test]
fn replacing_ends_the_former_cluster() {
    let mut bench = Bench::new(2, &[1]);
    let former = bench.started().status.nodes[0].pid;
    bench.params.replace = true;
    let latter = bench.started().status.nodes[0].pid;
    assert_ne!(former, latter);
    assert_eq!(stop(&bench.run()).unwrap().processes, 1);
}

#[test]
fn killed_node_is_dead_and_the_rest_is_stopped() {
    let bench = Bench::new(3, &[1, 2]);
    let run = bench.run();
    bench.started();
    let state = State::load(&run).unwrap().unwrap();
    let victim = state.nodes[&1].process.unwrap().hold().unwrap().unwrap();
    victim.signal(Signal::KILL).unwrap();
    assert!(victim.wait(Instant::now() + LONG));
    let now = status(&run).unwrap();
    assert_eq!(now.nodes[0].condition, NodeCondition::Dead);
    assert_eq!(now.contract_lines(), "dead  1\nalive 2\nAlive; 1");
    assert_eq!(stop(&run).unwrap().processes, 1);
    bench.assert_nothing_left();
}

#[test]
fn node_that_fails_ends_the_start_and_leaves_nothing() {
    let rows = [
        ("failed 20sshd.rc\n", LONG, "it says that 20sshd.rc failed"),
        ("", Duration::ZERO, "not ready within 0 s (--timeout gives it longer)"),
    ];
    for (words, timeout, reason) in rows {
        let mut bench = Bench::new(4, &[1]);
        bench.params.timeout = Some(timeout);
        let error = bench.start(words).unwrap_err();
        assert_eq!(error.downcast_ref::<NodeFailed>().unwrap().reason, reason);
        bench.assert_nothing_left();
    }
}

#[test]
fn what_qemu_refuses_is_told_in_its_words() {
    let mut bench = Bench::new(5, &[1]);
    bench.params.qemu_options = vec!["-device".into(), "nonesuch".into()];
    let failed = bench.start("").unwrap_err().downcast::<NodeFailed>().unwrap();
    assert_eq!(failed.reason, "its qemu has ended");
    assert!(failed.end.contains("'nonesuch' is not a valid device model name"), "{failed}");
    bench.assert_nothing_left();
}

#[test]
fn node_that_dies_while_others_boot_ends_the_start() {
    let mut bench = Bench::new(6, &[1, 2]);
    bench.params.parallel = Some(1);
    let run = &bench.run();
    let error = std::thread::scope(|scope| {
        start(&bench.params, &|event| match event {
            Event::Launched(node) if node.number() == 1 => {
                scope.spawn(move || speak(run, node, &agent(run, node), "ready\n"));
            }
            Event::Launched(_) => {
                let first = State::load(run).unwrap().unwrap().nodes[&1].process.unwrap();
                first.hold().unwrap().unwrap().signal(Signal::KILL).unwrap();
            }
            _ => {}
        })
    });
    let failed = error.unwrap_err().downcast::<NodeFailed>().unwrap();
    assert_eq!((failed.node.number(), failed.reason.as_str()), (1, "its qemu has ended"));
    bench.assert_nothing_left();
}

#[test]
fn processes_that_were_not_recorded_are_found() {
    let bench = Bench::new(7, &[1, 2]);
    let run = bench.run();
    bench.started();
    let mut state = State::load(&run).unwrap().unwrap();
    // As an xcbuild leaves it that is killed right after it started node 2.
    state.nodes.get_mut(&2).unwrap().process = None;
    state.phase = Phase::Starting;
    state.owner.start = 0;
    state.save(&run).unwrap();
    let now = status(&run).unwrap();
    assert_eq!((now.alive(), now.interrupted), (2, true));
    std::fs::write(run.state_file(), "{ half").unwrap();
    assert_eq!(stop(&run).unwrap(), Stopped { existed: true, processes: 2 });
    bench.assert_nothing_left();
}

#[test]
fn processes_of_others_are_left_alone() {
    let bench = Bench::new(8, &[1]);
    let (mut child, bystander) = bystander(bench.directory.path());
    let run = bench.run();
    bench.started();
    assert_eq!(stop(&run).unwrap().processes, 1);
    let reused = ProcessId { start: bystander.start - 1, ..bystander };
    for (boot_id, process) in [(None, reused), (Some("another"), bystander)] {
        run.create().unwrap();
        let net = UserNet::default();
        let accel = crate::vm::command::Accel::Tcg;
        let mut state = State::new(&run, accel, net, "/".into()).unwrap();
        state.boot_id = boot_id.map_or(state.boot_id, str::to_owned);
        state.nodes.insert(1, super::state::NodeState::new(&node(1, &[0]), vec![]));
        state.nodes.get_mut(&1).unwrap().process = Some(process);
        state.save(&run).unwrap();
        assert_eq!(status(&run).unwrap().nodes[0].condition, NodeCondition::Dead);
        assert_eq!(stop(&run).unwrap(), Stopped { existed: true, processes: 0 });
        assert!(bystander.is_alive());
    }
    end(&[bystander]);
    child.wait().unwrap();
}

#[test]
fn dns_proxy_is_started_first_and_stopped_last() {
    let mut bench = Bench::new(9, &[1]);
    let fifo = bench.directory.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let script = format!("echo ready on $1; read -r _ <{}", fifo.display());
    bench.params.dns = Some(["sh", "-c", &script, "dns"].map(str::to_owned).to_vec());
    let report = bench.started();
    assert_eq!(report.status.dns, Some(true));
    let log = std::fs::read_to_string(bench.params.logs.join("dns.log")).unwrap();
    assert_eq!(log, format!("ready on --port={}\n", report.net.dns_port));
    assert_eq!(stop(&bench.run()).unwrap().processes, 2);
    bench.assert_nothing_left();

    let deaf = ["sh", "-c", "echo no port for me >&2; exit 1"].map(str::to_owned).to_vec();
    bench.params.dns = Some(deaf);
    let error = bench.start("").unwrap_err().to_string();
    assert!(error.starts_with("the DNS proxy has ended; "), "{error}");
    assert!(error.ends_with(": no port for me"), "{error}");
    bench.assert_nothing_left();
}

#[test]
fn what_is_missing_is_told_before_anything_is_made() {
    let mut bench = Bench::new(10, &[1]);
    bench.params.program = "qemu-system-none".into();
    let error = bench.start("").unwrap_err().to_string();
    assert!(error.contains("`qemu-system-none` is not installed"), "{error}");
    bench.params.program = "qemu-system-x86_64".into();
    bench.params.boot.kernel = Some("/nonexistent/bzImage".into());
    let error = format!("{:#}", bench.start("").unwrap_err());
    assert!(error.contains("/nonexistent/bzImage"), "{error}");
    bench.params.boot.kernel = None;
    bench.params.nodes[0].memory_mib = 1 << 30;
    let error = bench.start("").unwrap_err().to_string();
    assert!(error.contains("MiB available"), "{error}");
    bench.assert_nothing_left();
}

#[test]
fn nodes_come_and_go() {
    let mut bench = Bench::new(13, &[1]);
    let run = &bench.run();
    let refused = life::scale_in(run, &[id(1)]).unwrap_err().to_string();
    assert_eq!(refused, "the cluster `c` does not run; `xcbuild up` starts one");
    bench.started();
    bench.params.nodes = vec![node(5, &[0, 1]), node(6, &[0, 1])];
    let status = bench.by_event(|params, progress| life::scale_out(params, progress)).unwrap();
    assert_eq!(status.contract_lines(), "alive 1\nalive 5\nalive 6\nAlive; 3");
    let again = life::scale_out(&bench.params, &|_| {}).unwrap_err().to_string();
    assert!(again.starts_with("vm-005 is in the cluster already; "), "{again}");
    life::scale_in(run, &[id(5)]).unwrap();
    let unknown = life::scale_in(run, &[id(5)]).unwrap_err().to_string();
    assert_eq!(unknown, "vm-005 is not in the cluster; its nodes are 1, 6");
    assert!(!run.path().join("005.qmp").exists());

    bench.params.nodes = vec![node(7, &[0])];
    bench.params.timeout = Some(Duration::ZERO);
    life::scale_out(&bench.params, &|_| {}).unwrap_err();
    let left = super::status(run).unwrap().contract_lines();
    assert_eq!(left, "alive 1\nalive 6\nAlive; 2");
    assert_eq!(stop(run).unwrap().processes, 2);
    bench.assert_nothing_left();
}

#[test]
fn nodes_are_paused_reset_and_started_again() {
    let bench = Bench::new(14, &[1, 2]);
    let run = &bench.run();
    bench.started();
    let condition = || status(run).unwrap().nodes[0].condition;
    life::pause(run, id(1)).unwrap();
    assert_eq!(condition(), NodeCondition::Paused);
    let busy = life::wait(run, &[], Duration::ZERO).unwrap_err().to_string();
    assert_eq!(busy, "vm-001 not ready within 0 s");
    life::wait(run, &[id(2)], Duration::ZERO).unwrap();
    life::resume(run, id(1)).unwrap();
    assert_eq!(condition(), NodeCondition::Ready);

    let late = life::reset(run, id(1), Some(Duration::ZERO), &|_| {}).unwrap_err();
    assert!(late.downcast_ref::<NodeFailed>().is_some(), "what it said before the reset counts");
    bench.by_event(|_, progress| life::reset(run, id(1), Some(LONG), progress)).unwrap();
    let before = status(run).unwrap().nodes[1].pid;
    bench.by_event(|_, progress| life::restart(run, &[id(2)], Some(LONG), progress)).unwrap();
    let after = life::wait(run, &[], Duration::ZERO).unwrap().nodes[1].pid;
    assert!(after.is_some() && after != before);
    assert_eq!(stop(run).unwrap().processes, 2);
    bench.assert_nothing_left();
}

#[test]
fn wait_ends_when_a_node_does() {
    let bench = Bench::new(15, &[1]);
    let run = &bench.run();
    bench.started();
    let mut file = OpenOptions::new().append(true).open(agent(run, id(1))).unwrap();
    file.write_all(b"hello\n").unwrap();
    let waited = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| life::wait(run, &[], LONG));
        let pid = status(run).unwrap().nodes[0].pid.unwrap();
        end(&[ProcessId::of(pid).unwrap()]);
        waiting.join().unwrap()
    });
    assert_eq!(waited.unwrap_err().to_string(), "vm-001 will not be ready: its qemu has ended");
}

/// A disk whose boot sector writes `>` to the first serial port and then sends back what comes in.
fn echo_disk(path: &Path) {
    /// SeaBIOS takes no smaller one for a disk.
    const SIZE: usize = 1 << 20;
    #[rustfmt::skip]
    let code = [
        0xba, 0xf8, 0x03,       // 0:  mov dx, 0x3f8    data
        0xb0, b'>', 0xee,       // 3:  mov al, '>'; out dx, al
        0xba, 0xfd, 0x03,       // 6:  mov dx, 0x3fd    line status
        0xec, 0xa8, 0x01,       // 9:  in al, dx; test al, 1
        0x74, 0xfb,             // 12: jz 9             until a byte is there
        0xba, 0xf8, 0x03,       // 14: mov dx, 0x3f8    data
        0xec, 0xee,             // 17: in al, dx; out dx, al
        0xeb, 0xf1,             // 19: jmp 6
    ];
    let mut disk = vec![0_u8; SIZE];
    disk[..code.len()].copy_from_slice(&code);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(path, disk).unwrap();
}

#[test]
fn console_is_typed_on_and_followed() {
    let mut bench = Bench::new(16, &[1]);
    let disk = bench.directory.path().join("echo.img");
    echo_disk(&disk);
    bench.params.boot.disks = vec![("base".into(), disk)];
    let run = &bench.run();
    bench.started();
    let (input, mut keys) = std::io::pipe().unwrap();
    let followed = std::thread::scope(|scope| {
        let (booted, boots) = std::sync::mpsc::channel();
        let follower = scope.spawn(move || {
            let mut seen = Vec::new();
            let mut output = |bytes: &[u8]| {
                seen.extend(bytes);
                // Nobody listens any more once it has booted.
                let _ = booted.send(seen.clone());
            };
            console::follow(run, id(1), &mut output).unwrap();
            seen
        });
        while boots.recv_timeout(LONG).unwrap() != b">" {}
        let (typed, echoed) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let mut seen = Vec::new();
            console::attach(run, id(1), input.as_fd(), &mut |bytes| {
                seen.extend(bytes);
                let _ = typed.send(seen.clone());
            })
            .unwrap();
        });
        keys.write_all(b"xyzzy").unwrap();
        while !echoed.recv_timeout(LONG).unwrap().ends_with(b"xyzzy") {}
        keys.write_all(&[console::DETACH]).unwrap();
        while echoed.recv().is_ok() {}
        stop(run).unwrap();
        follower.join().unwrap()
    });
    assert!(followed.ends_with(b"xyzzy"), "{followed:?}");
    bench.assert_nothing_left();
}
