use super::super::{Counts, NetworkId, NodeId, Overrides, Topology};
use super::{State, View, dot, mermaid, svg, text};

const TEXT: &str = r#"description = "one <router>"
[network.1]
description = "cluster"
[network.2]
mtu = 9000
[group.vm]
nodes = "vm"
networks = [0, 1]
routes = [{ to = "default", via = 201 }]
[group.router]
nodes = 201
networks = [0, 1, 2]
forward = true
[group.testers]
nodes = "testers"
networks = [0, 2]
[[impairment]]
nodes = 201
network = 2
delay = "50ms"
"#;

fn view() -> View {
    let topology = Topology::parse("t.toml", "small", TEXT, &|_| None).unwrap();
    let counts = Counts { vm: 1, routers: 1, testers: 1 };
    let overrides = Overrides::default();
    let nodes = topology.nodes(&counts, &overrides).unwrap();
    View::of(&topology, &nodes, &overrides)
}

fn with_states() -> View {
    let mut view = view();
    view.set_node(NodeId::new(1).unwrap(), State::Up);
    view.set_node(NodeId::new(221).unwrap(), State::Down);
    view.set_link(NodeId::new(1).unwrap(), NetworkId(1), State::Down, "");
    view
}

#[test]
fn text_is_two_tables() {
    insta::assert_snapshot!(text(&with_states()), @r"
    small: one <router>

    network  IPv4            IPv6                     MTU
    0        192.168.0.0/24  1000::1:192.168.0.0/120  1500  maintenance
    1        192.168.1.0/24  1000::1:192.168.1.0/120  1500  cluster
    2        192.168.2.0/24  1000::1:192.168.2.0/120  9000

    node    role    interface  network  IPv4           IPv6
    vm-001  vm      eth0       0        192.168.0.1    1000::1:192.168.0.1    up
                    eth1       1        192.168.1.1    1000::1:192.168.1.1    down
    vm-201  router  eth0       0        192.168.0.201  1000::1:192.168.0.201
                    eth1       1        192.168.1.201  1000::1:192.168.1.201
                    eth2       2        192.168.2.201  1000::1:192.168.2.201  out: delay 50ms
    vm-221  tester  eth0       0        192.168.0.221  1000::1:192.168.0.221  down
                    eth1       2        192.168.2.221  1000::1:192.168.2.221
    ");
}

#[test]
fn graphs_have_nodes_networks_and_interfaces() {
    insta::assert_snapshot!(dot(&with_states()), @r##"
    graph "small" {
      rankdir=LR
      node [fontname="sans-serif"]
      n1 [shape=box style="rounded,filled" fillcolor="#e8eef7" label="network 1\n192.168.1.0/24"]
      n2 [shape=box style="rounded,filled" fillcolor="#e8eef7" label="network 2\n192.168.2.0/24"]
      v1 [shape=box color=darkgreen label="vm-001\nvm"]
      v1 -- n1 [taillabel="eth1" fontsize=9 style=dotted]
      v201 [shape=box color=black label="vm-201\nrouter"]
      v201 -- n1 [taillabel="eth1" fontsize=9]
      v201 -- n2 [taillabel="eth2\nout: delay 50ms" fontsize=9]
      v221 [shape=box color=red label="vm-221\ntester"]
      v221 -- n2 [taillabel="eth1" fontsize=9]
    }
    "##);
    insta::assert_snapshot!(mermaid(&with_states()), @r#"
    graph LR
      n1(["network 1<br/>192.168.1.0/24"])
      n2(["network 2<br/>192.168.2.0/24"])
      v1["vm-001<br/>vm"]
      v201["vm-201<br/>router"]
      v221["vm-221<br/>tester"]
      v1 -.-|eth1| n1
      v201 ---|eth1| n1
      v201 ---|eth2<br/>out: delay 50ms| n2
      v221 ---|eth1| n2
      style v221 stroke:#c00
    "#);
}

#[test]
fn json_is_read_back() {
    let json: serde_json::Value = serde_json::from_str(&view().json().unwrap()).unwrap();
    assert_eq!(json["nodes"][1]["ports"][2]["impaired"], "out: delay 50ms");
    assert_eq!(json["nodes"][0]["state"], "unknown");
    assert_eq!(json["networks"][2]["mtu"], 9000);
}

#[test]
fn the_picture_has_everything_once_and_inside() {
    let picture = svg(&with_states());
    assert!(picture.contains("one &lt;router&gt;"));
    for name in ["vm-001", "vm-201", "vm-221", "network 1", "network 2", "delay 50ms"] {
        assert_eq!(picture.matches(name).count(), 1, "{name}");
    }
    assert!(!picture.contains("network 0"));
    assert_eq!(picture.matches("<line").count(), 4);
    assert!(!picture.contains("x=\"-"), "{picture}");
}

#[test]
fn faults_are_told_in_lines_that_fit_between_boxes_and_above_them() {
    let mut view = view();
    let faults = "out: delay 50ms loss 1%; in: rate 10mbit";
    view.set_link(NodeId::new(1).unwrap(), NetworkId(1), State::Up, faults);
    let picture = svg(&view);
    let at =
        |text: &str| picture.find(&format!(">{text}</text>")).unwrap_or_else(|| panic!("{text}"));
    let last_box = picture.rfind("<rect").unwrap();
    for line in ["out: delay 50ms", "loss 1%", "in: rate 10mbit"] {
        assert!(at(line) > last_box, "{line}");
    }
}

#[test]
fn columns_follow_the_way_from_nodes_to_testers() {
    let layout = super::layout::layout(&view());
    let columns: Vec<usize> = layout.places.values().map(|(column, _)| *column).collect();
    // vm-001, vm-201, vm-221, then networks 1 and 2.
    assert_eq!(columns, [0, 2, 4, 1, 3]);
}
