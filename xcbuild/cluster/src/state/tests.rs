use xc_net::user::UserNet;
use xc_report::Reporter;
use xc_topology::address::NodeId;
use xc_topology::fixture::node;
use xc_vm::command::Accel;
use xc_vm::port::{Carrier, Port};

use super::{Dns, DnsProgram, DnsService, Helper, NodeState, State};
use crate::{ErrorKind, RunDir, hint};

fn run(root: &std::path::Path) -> RunDir {
    let run = RunDir::new(root, &"c".parse().unwrap(), &Reporter::silent()).unwrap();
    run.create().unwrap();
    run
}

fn state(run: &RunDir) -> State {
    State::new(run, Accel::Tcg, UserNet::default(), "/logs".into()).unwrap()
}

#[test]
fn what_is_saved_is_loaded_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let run = RunDir::new(dir.path(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
    assert_eq!(State::load(&run).unwrap(), None);
    run.create().unwrap();
    let mut state = state(&run);
    state.dns = Some(Dns {
        service: DnsService {
            program: DnsProgram::CoreDns("/bin/coredns".into()),
            upstreams: vec!["192.0.2.1:53".parse().unwrap()],
            spoof: Some("/hosts".into()),
        },
        helper: Helper { argv: vec!["dns".into()], process: Some(state.owner) },
    });
    let tap = Carrier::Tap { name: "xctap201_1".into(), bridge: Some("xcbr1".into()) };
    let port = |carrier| Port::Netdev { netdev: String::new(), queues: 1, carrier };
    let ports = [port(Carrier::UserStack), port(tap)];
    let saved = NodeState::new(&node(201, &[0, 1]), &ports, vec!["qemu".into()]);
    state.nodes.insert(NodeId::new(201).unwrap(), saved);
    state.save(&run).unwrap();
    assert_eq!(State::load(&run).unwrap(), Some(state.clone()));
    assert!(!state.is_from_another_boot().unwrap());
    assert_eq!(state.processes().collect::<Vec<_>>(), [state.owner]);
    assert_eq!(std::fs::read_dir(run.path()).unwrap().count(), 1);
}

#[test]
fn damaged_and_foreign_states_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let mut state = state(&run);
    state.format += 1;
    state.save(&run).unwrap();
    let error = State::load(&run).unwrap_err();
    insta::assert_snapshot!(error, @"the cluster `c` was started by another version of xcbuild: its state has format 3, this version reads 2");
    assert_eq!(hint::kind(&error), Some(ErrorKind::OtherVersion));
    assert_eq!(remedies(&error), ["`xcbuild stop --cluster=c` ends it"]);
    // As the version before this one wrote it: by other fields.
    std::fs::write(run.state_file(), r#"{ "format": 1, "cluster": "c" }"#).unwrap();
    let error = State::load(&run).unwrap_err().to_string();
    assert!(error.ends_with("its state has format 1, this version reads 2"), "{error}");
    state.format -= 1;
    let mut saved = serde_json::to_value(&state).unwrap();
    saved["network"] = serde_json::json!({ "kind": "vxlan", "vni": 7 });
    std::fs::write(run.state_file(), saved.to_string()).unwrap();
    let error = State::load(&run).unwrap_err();
    insta::assert_snapshot!(error, @"the cluster `c` was started by another version of xcbuild: its state has a network of the kind `vxlan`, which this version lacks");
    assert_eq!(hint::kind(&error), Some(ErrorKind::OtherVersion));
    assert_eq!(remedies(&error), ["`xcbuild stop --cluster=c` ends it"]);
    for damaged in ["{", r#"{ "format": 2 }"#] {
        std::fs::write(run.state_file(), damaged).unwrap();
        let error = State::load(&run).unwrap_err();
        assert!(error.to_string().contains("is damaged: "), "{error}");
        assert_eq!(hint::kind(&error), Some(ErrorKind::Damaged));
        assert_eq!(remedies(&error), ["`xcbuild stop --cluster=c` ends the cluster all the same"]);
    }
}

fn remedies(error: &anyhow::Error) -> Vec<String> {
    hint::hints(error).map(ToString::to_string).collect()
}
