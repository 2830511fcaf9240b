//! Networks of the user's own making: `__net_setup`.

use super::{Bench, id};
use crate::state::State;
use xc_sys::exec::Exec;
use xc_vm::port::Carrier;

/// Writes an executable script. A shell does it: a file that this process has open for writing
/// can't be executed while another test's thread is forking.
fn script(path: &std::path::Path, text: &str) {
    let write = "printf '#!/bin/sh\n%s' \"$1\" >\"$2\"; chmod 755 \"$2\"";
    Exec::new("sh").args(["-c", write, "sh", text]).arg(path).output().unwrap();
}

#[test]
fn script_wires_each_interface() {
    let mut bench = Bench::new(&[1]);
    let directory = bench.directory.path().to_owned();
    let calls = directory.join("calls");
    let text = format!(
        "echo $1 $2 $__mtu $__kvm >>{}
         echo -netdev hubport,id=n$2,hubid=$2
         echo -device virtio-net-pci,netdev=n$2,mac=00:00:00:01:0$2:0$1",
        calls.display()
    );
    script(&directory.join("setup"), &text);
    bench.params.network.setup = Some(directory.join("setup"));
    bench.started();
    let calls = std::fs::read_to_string(calls).unwrap();
    assert_eq!(calls, "1 0 1500 qemu-system-x86_64\n1 1 1400 qemu-system-x86_64\n");
    let state = State::load(&bench.run()).unwrap().unwrap();
    let links = state.nodes[&id(1)].interfaces.iter().map(|i| (i.netdev.as_deref(), &i.carrier));
    let expected = [(Some("n0"), &Carrier::Other), (Some("n1"), &Carrier::Other)];
    assert_eq!(links.collect::<Vec<_>>(), expected);
    let argv = state.nodes[&id(1)].argv.join(" ");
    assert!(argv.contains("-netdev hubport,id=n1,hubid=1 -device virtio-net-pci,netdev=n1,"));
    assert!(!argv.contains("mcast="), "{argv}");
}

#[test]
fn failing_script_ends_the_start() {
    let mut bench = Bench::new(&[1]);
    let setup = bench.directory.path().join("setup");
    script(&setup, "echo no such bridge >&2; exit 3");
    bench.params.network.setup = Some(setup);
    let error = format!("{:#}", bench.start("").unwrap_err());
    assert!(error.contains("the script of __net_setup"), "{error}");
    assert!(error.contains("exit code 3") && error.contains("no such bridge"), "{error}");
    bench.assert_nothing_left();
}
