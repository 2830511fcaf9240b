//! Starting and stopping, and what goes wrong with it.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use super::{Bench, LONG, agent, id, node_state, speak};
use crate::boot::NodeFailed;
use crate::host::LocalHost;
use crate::memory::InsufficientMemory;
use crate::start::{DnsParams, StartError};
use crate::state::{DnsService, Phase, State};
use crate::status::NodeCondition;
use crate::{Cluster, ErrorKind, Event, Report, Stopped, hint, start, status, stop};
use xc_net::policy::{Fixed, Policy};
use xc_net::user::UserNet;
use xc_sys::exec::Exec;
use xc_topology::address::NodeId;
use xc_topology::fixture::node;
use xc_vm::command::Accel;
use xc_vm::process::{ProcessId, end};

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
    let bench = Bench::new(&[1, 20]);
    let run = bench.run();
    assert!(!status(&run).unwrap().exists);
    let report = bench.started();
    assert!(report.status.nodes.iter().all(|n| n.condition == NodeCondition::Ready));
    assert_eq!(status(&run).unwrap().contract_lines(), "alive 1\nalive 20\nAlive; 2");
    for name in ["001.qmp", "020.console"] {
        let mode = std::fs::metadata(run.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let again = bench.start("").unwrap_err();
    let running = StartError::Running { cluster: "c".parse().unwrap(), alive: 2 };
    assert_eq!(again.downcast_ref(), Some(&running));
    assert_eq!(stop(&run).unwrap(), Stopped { existed: true, processes: 2 });
    assert_eq!(stop(&run).unwrap(), Stopped { existed: false, processes: 0 });
    bench.assert_nothing_left();
}

#[test]
fn logs_of_a_former_cluster_are_not_taken_for_this_ones() {
    let bench = Bench::new(&[1]);
    std::fs::create_dir(&bench.params.logs).unwrap();
    let console = bench.params.logs.join("vm-001.console.log");
    std::fs::write(console, "Kernel panic - not syncing: long ago\n").unwrap();
    assert_eq!(bench.started().status.alive(), 1);
    assert_eq!(stop(&bench.run()).unwrap().processes, 1);
}

#[test]
fn kernel_that_panics_ends_the_start() {
    let bench = Bench::new(&[1]);
    let run = &bench.run();
    let console = &bench.params.logs.join("vm-001.console.log");
    let error = std::thread::scope(|scope| {
        start(&bench.params, &|event| {
            if let Event::Launched(node) = event {
                let words =
                    "[ 0.5] Kernel panic - not syncing: no init\n---[ end Kernel panic ]---\n";
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
    let mut bench = Bench::new(&[1]);
    let former = bench.started().status.nodes[0].pid;
    bench.params.admission.replace = true;
    let latter = bench.started().status.nodes[0].pid;
    assert_ne!(former, latter);
    // One that can't be started does not cost the one that runs.
    bench.params.boot.boot.initrd = Some("/nonexistent/initrd".into());
    let error = format!("{:#}", bench.start("").unwrap_err());
    assert!(error.contains("/nonexistent/initrd"), "{error}");
    bench.params.boot.boot.initrd = None;
    bench.params.nodes[0].interfaces[1].mtu = 65_521;
    let error = format!("{:#}", bench.start("").unwrap_err());
    assert!(error.contains("--net=user carries 65489 bytes at most"), "{error}");
    assert_eq!(status(&bench.run()).unwrap().nodes[0].pid, latter);
    assert_eq!(stop(&bench.run()).unwrap().processes, 1);
}

#[test]
fn killed_node_is_dead_and_the_rest_is_stopped() {
    let bench = Bench::new(&[1, 2]);
    let run = bench.run();
    bench.started();
    let state = State::load(&run).unwrap().unwrap();
    let victim = state.nodes[&id(1)].process.unwrap().hold().unwrap().unwrap();
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
        let mut bench = Bench::new(&[1]);
        bench.params.bring_up.timeout = Some(timeout);
        let error = bench.start(words).unwrap_err();
        assert_eq!(error.downcast_ref::<NodeFailed>().unwrap().reason, reason);
        bench.assert_nothing_left();
    }
}

#[test]
fn what_qemu_refuses_is_told_in_its_words() {
    let mut bench = Bench::new(&[1]);
    bench.params.machine.options = vec!["-device".into(), "nonesuch".into()];
    let failed = bench.start("").unwrap_err().downcast::<NodeFailed>().unwrap();
    assert_eq!(failed.reason, "its qemu has ended");
    assert!(failed.end.contains("'nonesuch' is not a valid device model name"), "{failed}");
    bench.assert_nothing_left();
}

#[test]
fn node_that_dies_while_others_boot_ends_the_start() {
    let mut bench = Bench::new(&[1, 2]);
    bench.params.bring_up.parallel = Some(1);
    let run = &bench.run();
    let error = std::thread::scope(|scope| {
        start(&bench.params, &|event| match event {
            Event::Launched(node) if node.number() == 1 => {
                scope.spawn(move || speak(run, node, &agent(run, node), "ready\n"));
            }
            Event::Launched(_) => {
                let first = State::load(run).unwrap().unwrap().nodes[&id(1)].process.unwrap();
                first.hold().unwrap().unwrap().signal(Signal::KILL).unwrap();
            }
            _ => {}
        })
    });
    let failed = error.unwrap_err().downcast::<NodeFailed>().unwrap();
    assert_eq!((failed.node.number(), failed.reason.as_str()), (1, "its qemu has ended"));
    bench.assert_nothing_left();
}

/// Each node says what is given for it, by number, in the file of that kind.
fn spoken(bench: &Bench, words: &[(u8, &str)]) -> anyhow::Result<(Report, Vec<Event>)> {
    let run = &bench.run();
    let events = std::sync::Mutex::new(Vec::new());
    let report = std::thread::scope(|scope| {
        start(&bench.params, &|event| {
            if let Event::Launched(node) = event {
                let words = words.iter().find(|(n, _)| *n == node.number()).unwrap().1.to_owned();
                let file = match words.contains("panic") {
                    true => run.node(node, &bench.params.logs).console_log,
                    false => agent(run, node),
                };
                scope.spawn(move || speak(run, node, &file, &words));
            }
            events.lock().unwrap().push(event);
        })
    })?;
    Ok((report, events.into_inner().unwrap()))
}

#[test]
fn others_go_on_without_nodes_that_fail_if_wanted() {
    let mut bench = Bench::new(&[1, 2, 3]);
    bench.params.bring_up.keep_going = true;
    let panic = "[ 0.5] Kernel panic - not syncing: no init\n[ 0.6] ---[ end Kernel panic ]---\n";
    let words = [(1, panic), (2, "hello\nready vm\n"), (3, "failed 20sshd.rc\n")];
    let (report, events) = spoken(&bench, &words).unwrap();
    let mut failed: Vec<_> = report.failed.iter().map(|f| f.node.number()).collect();
    failed.sort_unstable();
    assert_eq!(failed, [1, 3]);
    let told = events.iter().filter(|event| matches!(event, Event::Failed(_)));
    assert_eq!(told.count(), 2);
    // The nodes are there to be looked at, and `status` knows what is wrong with them.
    let seen = report.status.nodes.iter().map(|n| (n.condition, n.failure.as_deref()));
    let expected = [
        (NodeCondition::Failed, Some("Kernel panic - not syncing: no init")),
        (NodeCondition::Ready, None),
        (NodeCondition::Failed, Some("20sshd.rc")),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!(stop(&bench.run()).unwrap().processes, 3);
    let error = spoken(&bench, &[(1, panic), (2, panic), (3, panic)]).unwrap_err();
    assert!(error.downcast_ref::<NodeFailed>().is_some(), "nothing is left to go on with: {error}");
    bench.assert_nothing_left();
}

/// The first is ready when it finds the second, which may only boot when the first does not any more.
#[test]
fn nodes_whose_services_wait_for_others_let_them_boot() {
    let mut bench = Bench::new(&[1, 2]);
    bench.params.network.policy = Policy::Free(Fixed::default());
    bench.params.bring_up.parallel = Some(1);
    let run = &bench.run();
    let warnings = std::sync::Mutex::new(Vec::new());
    let report = std::thread::scope(|scope| {
        start(&bench.params, &|event| {
            let say = |node: NodeId, words: &'static str| {
                scope.spawn(move || speak(run, node, &agent(run, node), words));
            };
            match event {
                Event::Launched(node) if node.number() == 1 => {
                    say(node, "hello\nservices\nwarning 50x.rc ended with status 1\n");
                }
                Event::Launched(node) => {
                    say(NodeId::new(1).unwrap(), "ready vm\n");
                    say(node, "hello\nready vm\n");
                }
                Event::Warning(node, what) => {
                    warnings.lock().unwrap().push(format!("{node}: {what}"));
                }
                _ => {}
            }
        })
    });
    assert_eq!(report.unwrap().status.alive(), 2);
    assert_eq!(warnings.into_inner().unwrap(), ["vm-001: 50x.rc ended with status 1"]);
    assert_eq!(stop(run).unwrap().processes, 2);
}

#[test]
fn roles_boot_in_the_order_that_is_wanted() {
    let mut bench = Bench::new(&[1, 2, 201, 202]);
    bench.params.bring_up.order = "routers,vms".parse().unwrap();
    bench.params.network.policy = Policy::Free(Fixed::default());
    bench.params.bring_up.parallel = Some(4);
    let ready = "hello\nready vm\n";
    // Numbers of routers are beyond the ports of a bench.
    bench.params.network.ports = UserNet::default().in_slot(1);
    let (_, events) = spoken(&bench, &[1, 2, 201, 202].map(|n| (n, ready))).unwrap();
    let numbers = events.iter().filter_map(|event| match event {
        Event::Launched(node) => Some(('l', node.number())),
        Event::Ready(node, _) => Some(('r', node.number())),
        _ => None,
    });
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(numbers[..2], [('l', 201), ('l', 202)]);
    let first = numbers.iter().position(|event| *event == ('l', 1)).unwrap();
    assert!(numbers[..first].contains(&('r', 201)) && numbers[..first].contains(&('r', 202)));
    assert_eq!(numbers[first + 1], ('l', 2), "those of a role boot together");
    assert_eq!(stop(&bench.run()).unwrap().processes, 4);
}

#[test]
fn start_waits_for_memory_that_another_cluster_gives_back() {
    let mut bench = Bench::new(&[1]);
    // Room for one node of 128 MiB and its qemu's 160.
    let file = bench.directory.path().join("meminfo");
    bench.params.host = Arc::new(LocalHost::with_meminfo(&file));
    let meminfo = format!("MemTotal: {} kB\nMemAvailable: {} kB\n", 2000 * 1024, 300 * 1024);
    std::fs::write(&file, meminfo).unwrap();
    bench.started();
    let first = bench.run();
    bench.params.run = bench.run_of("d");
    bench.params.network.policy = Policy::Free(Fixed::default());
    let error = bench.start("").unwrap_err();
    let room = error.downcast_ref::<InsufficientMemory>().unwrap();
    assert_eq!(room.running, [("c".to_owned(), 1)]);
    // It would fit in place of the one that runs, and that one goes on if it would not.
    bench.params.run = first.clone();
    bench.params.admission.replace = true;
    bench.params.nodes[0].memory_mib = 1500;
    bench.params.admission.queue = Some(LONG);
    let hopeless = bench.start("").unwrap_err();
    assert!(hopeless.is::<InsufficientMemory>(), "nobody else gives memory back: {hopeless:#}");
    assert_eq!(status(&first).unwrap().alive(), 1);
    bench.params.nodes[0].memory_mib = 128;
    assert_eq!(bench.started().status.alive(), 1);
    bench.params.admission.replace = false;
    bench.params.run = bench.run_of("d");
    bench.params.admission.queue = Some(Duration::ZERO);
    assert!(bench.start("").unwrap_err().is::<InsufficientMemory>());

    bench.params.admission.queue = Some(LONG);
    let second = bench.run_of("d");
    std::thread::scope(|scope| {
        start(&bench.params, &|event| match event {
            Event::Queued(_) => {
                scope.spawn(|| stop(&first).unwrap());
            }
            Event::Launched(node) => {
                let second = &second;
                scope.spawn(move || speak(second, node, &agent(second, node), "ready vm\n"));
            }
            _ => {}
        })
        .unwrap();
    });
    assert!(!status(&first).unwrap().exists);
    assert_eq!(stop(&second).unwrap().processes, 1);
    bench.assert_nothing_left();
}

#[test]
fn processes_that_were_not_recorded_are_found() {
    let bench = Bench::new(&[1, 2]);
    let run = bench.run();
    bench.started();
    let mut state = State::load(&run).unwrap().unwrap();
    // As an xcbuild leaves it that is killed right after it started node 2.
    state.nodes.get_mut(&id(2)).unwrap().process = None;
    state.phase = Phase::Starting;
    state.owner.start = 0;
    state.save(&run).unwrap();
    let never = node_state(&node(3, &[0]));
    state.nodes.insert(id(3), never);
    state.save(&run).unwrap();
    let now = status(&run).unwrap();
    assert_eq!((now.alive(), now.interrupted), (2, true));
    assert_eq!(now.nodes[2].condition, NodeCondition::Dead, "nobody will start it any more");
    std::fs::write(run.state_file(), "{ half").unwrap();
    assert_eq!(stop(&run).unwrap(), Stopped { existed: true, processes: 2 });
    bench.assert_nothing_left();
}

#[test]
fn processes_of_others_are_left_alone() {
    let bench = Bench::new(&[1]);
    let (mut child, bystander) = bystander(bench.directory.path());
    let run = bench.run();
    bench.started();
    assert_eq!(stop(&run).unwrap().processes, 1);
    let reused = ProcessId { start: bystander.start - 1, ..bystander };
    for (boot_id, process) in [(None, reused), (Some("another"), bystander)] {
        run.create().unwrap();
        let net = UserNet::default();
        let accel = Accel::Tcg;
        let mut state = State::new(&run, accel, net, "/".into()).unwrap();
        state.boot_id = boot_id.map_or(state.boot_id, str::to_owned);
        state.nodes.insert(id(1), node_state(&node(1, &[0])));
        state.nodes.get_mut(&id(1)).unwrap().process = Some(process);
        state.save(&run).unwrap();
        assert_eq!(status(&run).unwrap().nodes[0].condition, NodeCondition::Dead);
        assert_eq!(stop(&run).unwrap(), Stopped { existed: true, processes: 0 });
        assert!(bystander.is_alive());
    }
    end(&[bystander]);
    child.wait().unwrap();
}

/// What another version started can't be used, but ended; it is not replaced unasked.
#[test]
fn cluster_of_another_version_is_only_stopped() {
    let mut bench = Bench::new(&[1]);
    let run = bench.run();
    bench.started();
    let text = std::fs::read_to_string(run.state_file()).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
    state["format"] = 1.into();
    // Interfaces had other fields, networks were numbers.
    state["nodes"]["1"]["interfaces"] = serde_json::json!([{ "network": 0 }]);
    std::fs::write(run.state_file(), state.to_string()).unwrap();
    let refused =
        [status(&run).unwrap_err(), bench.start("").unwrap_err(), Cluster::lock(&run).unwrap_err()];
    for error in refused {
        assert_eq!(hint::kind(&error), Some(ErrorKind::OtherVersion), "{error:#}");
    }
    bench.params.admission.replace = true;
    assert_eq!(bench.started().status.alive(), 1, "the one of the other version has gone");
    assert_eq!(stop(&run).unwrap().processes, 1);

    bench.started();
    std::fs::write(run.state_file(), state.to_string()).unwrap();
    assert_eq!(stop(&run).unwrap(), Stopped { existed: true, processes: 1 });
    bench.assert_nothing_left();
}

fn dns(words: &[&str]) -> DnsParams {
    let command = words.iter().copied().map(str::to_owned).collect();
    DnsParams { command, service: DnsService::default() }
}

#[test]
fn dns_proxy_is_started_first_and_stopped_last() {
    let mut bench = Bench::new(&[1]);
    let fifo = bench.directory.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let script = format!("echo ready on $1; read -r _ <{}", fifo.display());
    bench.params.dns = Some(dns(&["sh", "-c", &script, "dns"]));
    let report = bench.started();
    assert_eq!(report.status.dns, Some(true));
    let log = std::fs::read_to_string(bench.params.logs.join("dns.log")).unwrap();
    assert_eq!(log, format!("ready on --port={}\n", report.net.dns_port));
    assert_eq!(stop(&bench.run()).unwrap().processes, 2);
    bench.assert_nothing_left();

    let run = &bench.run();
    let killed = start(&bench.params, &|event| {
        if let Event::Launched(_) = event {
            let dns = State::load(run).unwrap().unwrap().dns.unwrap();
            dns.helper.process.unwrap().hold().unwrap().unwrap().signal(Signal::KILL).unwrap();
        }
    });
    let error = killed.unwrap_err().to_string();
    assert!(error.starts_with("the DNS proxy has ended; "), "{error}");
    bench.assert_nothing_left();

    bench.params.dns = Some(dns(&["sh", "-c", "echo no port for me >&2; exit 1"]));
    let error = bench.start("").unwrap_err().to_string();
    assert!(error.starts_with("the DNS proxy has ended; "), "{error}");
    assert!(error.ends_with(": no port for me"), "{error}");
    bench.assert_nothing_left();
}

#[test]
fn what_is_missing_is_told_before_anything_is_made() {
    let mut bench = Bench::new(&[1]);
    bench.params.machine.program = "qemu-system-none".into();
    let error = bench.start("").unwrap_err().to_string();
    assert!(error.contains("`qemu-system-none` is not installed"), "{error}");
    bench.params.machine.program = "qemu-system-x86_64".into();
    bench.params.boot.boot.kernel = Some("/nonexistent/bzImage".into());
    let error = format!("{:#}", bench.start("").unwrap_err());
    assert!(error.contains("/nonexistent/bzImage"), "{error}");
    bench.params.boot.boot.kernel = None;
    bench.params.nodes[0].memory_mib = 1 << 30;
    let error = bench.start("").unwrap_err().to_string();
    assert!(error.contains("MiB available"), "{error}");
    bench.assert_nothing_left();
}
