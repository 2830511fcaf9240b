//! What happens to single nodes.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use super::{Bench, LONG, agent, id};
use crate::boot::NodeFailed;
use crate::hint::hints;
use crate::status::NodeCondition;
use crate::{life, status, stop};
use xc_topology::fixture::node;
use xc_vm::process::{ProcessId, end};

#[test]
fn nodes_come_and_go() {
    let mut bench = Bench::new(&[1]);
    let run = &bench.run();
    let refused = life::scale_in(run, &[id(1)]).unwrap_err();
    assert_eq!(refused.to_string(), "the cluster `c` does not run");
    let hint = hints(&refused).next().unwrap().to_string();
    assert_eq!(hint, "`xcbuild start --cluster=c` starts one");
    bench.by_event(life::boot_one).unwrap();
    bench.params.nodes = vec![node(5, &[0, 1]), node(6, &[0, 1])];
    let now = bench.by_event(life::scale_out).unwrap();
    assert_eq!(now.status.contract_lines(), "alive 1\nalive 5\nalive 6\nAlive; 3");
    let again = life::scale_out(&bench.params, &|_| {}).unwrap_err().to_string();
    assert!(again.starts_with("vm-005 is in the cluster already; "), "{again}");
    life::scale_in(run, &[id(5)]).unwrap();
    let unknown = life::scale_in(run, &[id(5)]).unwrap_err().to_string();
    assert_eq!(unknown, "vm-005 is not in the cluster; its nodes are 1, 6");
    assert!(!run.path().join("005.qmp").exists());

    bench.params.nodes = vec![node(7, &[0])];
    bench.params.timeout = Some(Duration::ZERO);
    life::scale_out(&bench.params, &|_| {}).unwrap_err();
    let left = status(run).unwrap().contract_lines();
    assert_eq!(left, "alive 1\nalive 6\nAlive; 2");
    assert_eq!(stop(run).unwrap().processes, 2);
    bench.assert_nothing_left();
}

#[test]
fn nodes_are_paused_reset_and_started_again() {
    let bench = Bench::new(&[1, 2]);
    let run = &bench.run();
    bench.started();
    let condition = || status(run).unwrap().nodes[0].condition;
    life::pause(run, id(1)).unwrap();
    assert_eq!(condition(), NodeCondition::Paused);
    let busy = life::wait(run, &[], Duration::ZERO).unwrap_err().to_string();
    assert_eq!(busy, "vm-001 not ready within 0 s");
    life::wait(run, &[id(2)], Duration::ZERO).unwrap();
    let unknown = life::wait(run, &[id(2), id(99)], Duration::ZERO).unwrap_err().to_string();
    assert_eq!(unknown, "vm-099 is not in the cluster; its nodes are 1, 2");
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
    let bench = Bench::new(&[1]);
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
