//! What happens to single nodes.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use super::{Bench, LONG, agent, id};
use crate::boot::NodeFailed;
use crate::hint::hints;
use crate::link::Change;
use crate::scale::{boot_one, scale_out};
use crate::status::NodeCondition;
use crate::{Cluster, LockedCluster, RunDir, Status, status, stop};
use xc_topology::address::{NetworkId, NodeId};
use xc_topology::fixture::node;
use xc_topology::impairment::End;
use xc_vm::process::{ProcessId, end};

fn lock(run: &RunDir) -> LockedCluster {
    Cluster::lock(run).unwrap()
}

fn wait(run: &RunDir, nodes: &[NodeId], timeout: Duration) -> anyhow::Result<Status> {
    Cluster::open(run).unwrap().wait_ready(nodes, timeout)
}

fn remedies(error: &anyhow::Error) -> Vec<String> {
    hints(error).map(ToString::to_string).collect()
}

#[test]
fn nodes_come_and_go() {
    let mut bench = Bench::new(&[1]);
    let run = &bench.run();
    let refused = Cluster::lock(run).unwrap_err();
    assert_eq!(refused.to_string(), "the cluster `c` does not run");
    let hint = hints(&refused).next().unwrap().to_string();
    assert_eq!(hint, "`xcbuild start --cluster=c` starts one");
    bench.by_event(boot_one).unwrap();
    bench.params.nodes = vec![node(5, &[0, 1]), node(6, &[0, 1])];
    let now = bench.by_event(scale_out).unwrap();
    assert_eq!(now.status.contract_lines(), "alive 1\nalive 5\nalive 6\nAlive; 3");
    let again = scale_out(&bench.params, &|_| {}).unwrap_err();
    assert_eq!(again.to_string(), "vm-005 is in the cluster already");
    assert_eq!(remedies(&again), ["`xcbuild scalein --cluster=c 5` takes it out"]);
    lock(run).scale_in(&[id(5)]).unwrap();
    let unknown = lock(run).scale_in(&[id(5)]).unwrap_err().to_string();
    assert_eq!(unknown, "vm-005 is not in the cluster; its nodes are 1, 6");
    assert!(!run.path().join("005.qmp").exists());

    bench.params.nodes = vec![node(7, &[0])];
    bench.params.bring_up.timeout = Some(Duration::ZERO);
    scale_out(&bench.params, &|_| {}).unwrap_err();
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
    lock(run).pause(id(1)).unwrap();
    assert_eq!(condition(), NodeCondition::Paused);
    let busy = wait(run, &[], Duration::ZERO).unwrap_err().to_string();
    assert_eq!(busy, "vm-001 not ready within 0 s");
    wait(run, &[id(2)], Duration::ZERO).unwrap();
    let unknown = wait(run, &[id(2), id(99)], Duration::ZERO).unwrap_err().to_string();
    assert_eq!(unknown, "vm-099 is not in the cluster; its nodes are 1, 2");
    lock(run).resume(id(1)).unwrap();
    assert_eq!(condition(), NodeCondition::Ready);

    let late = lock(run).reset(id(1), Some(Duration::ZERO), &|_| {}).unwrap_err();
    assert!(late.downcast_ref::<NodeFailed>().is_some(), "what it said before the reset counts");
    bench.by_event(|_, progress| lock(run).reset(id(1), Some(LONG), progress)).unwrap();
    let before = status(run).unwrap().nodes[1].pid;
    bench.by_event(|_, progress| lock(run).restart(&[id(2)], Some(LONG), progress)).unwrap();
    let after = wait(run, &[], Duration::ZERO).unwrap().nodes[1].pid;
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
        let waiting = scope.spawn(|| wait(run, &[], LONG));
        let pid = status(run).unwrap().nodes[0].pid.unwrap();
        end(&[ProcessId::of(pid).unwrap()]);
        waiting.join().unwrap()
    });
    assert_eq!(waited.unwrap_err().to_string(), "vm-001 will not be ready: its qemu has ended");
}

/// Whoever follows a hint must hit the cluster that it is about.
#[test]
fn hints_of_nodes_and_links_name_the_cluster() {
    let bench = Bench::new(&[1]);
    let run = &bench.run();
    bench.started();
    let change = |change: &Change, network: u8| {
        lock(run).change_link(id(1), NetworkId(network), change).unwrap_err()
    };
    let mut cut = Change { ends: vec![End::Node], ..Change::default() };
    cut.netem.set("loss", "100%").unwrap();
    let error = change(&cut, 0);
    assert!(error.to_string().starts_with("network 0 is the way to vm-001"), "{error}");
    let down = "`xcbuild link --cluster=c 1 0 --down` cuts it in a way that can be undone";
    assert_eq!(remedies(&error), [down]);

    lock(run).pause(id(1)).unwrap();
    let error = change(&cut, 1);
    assert_eq!(error.to_string(), "vm-001 is paused");
    assert_eq!(remedies(&error), ["`xcbuild cont --cluster=c 1` lets it go on"]);
    lock(run).resume(id(1)).unwrap();

    let down = Change { up: Some(false), ..Change::default() };
    assert!(!lock(run).change_link(id(1), NetworkId(0), &down).unwrap().up);
    let error = change(&cut, 1);
    assert!(error.to_string().starts_with("network 0 of vm-001 is down"), "{error}");
    assert_eq!(remedies(&error), ["`xcbuild link --cluster=c 1 0 --up` takes it up"]);

    let process = Cluster::open(run).unwrap().process(id(1)).unwrap();
    end(&[process]);
    let error = lock(run).pause(id(1)).unwrap_err();
    assert_eq!(error.to_string(), "vm-001 does not run: its qemu has ended");
    assert_eq!(remedies(&error), ["`xcbuild restart --cluster=c 1` starts it"]);
}
