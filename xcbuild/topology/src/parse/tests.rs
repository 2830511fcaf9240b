use super::super::address::NodeId;
use super::super::route::Via;
use super::{ParseError, Topology};

/// A topology that is right, for rows that spoil it.
const GOOD: &str = r#"description = "nodes, routers, testers"
counts = { vm = 3, testers = 1 }
[variable.CROSS]
description = "yes: more routes"
kind = "flag"
[network.1]
[network.2]
mtu = 9000
[group.vm]
nodes = "vm"
networks = [0, 1]
routes = [{ to = "default", via = "routers" }]
[group.routers]
nodes = "201-202"
networks = [0, 1, 2]
forward = true
masquerade = [1]
routes = [{ to = "default", via = "host" }]
[group.testers]
nodes = "testers"
networks = [0, 2]
routes = [{ to = "default", via = [201, 202] }]
[[impairment]]
nodes = 201
network = 2
delay = "50ms"
"#;

fn parse(text: &str) -> Result<Topology, ParseError> {
    Topology::parse("t.toml", "t", text, &|_| None)
}

#[test]
fn a_good_file_is_read() {
    let topology = parse(GOOD).unwrap();
    assert_eq!((topology.counts.vm, topology.counts.routers, topology.counts.testers), (3, 2, 1));
    let tester = topology.group_of(NodeId::new(221).unwrap()).unwrap();
    let Via::Nodes(hops) = &tester.routes[0].via else { panic!("{:?}", tester.routes) };
    assert_eq!(hops.len(), 2);
    assert!(hops.iter().all(|hop| hop.network.0 == 2 && !hop.if_present));
}

#[test]
fn what_cannot_be_is_named_with_its_line() {
    let rows = [
        ("mtu = 9000", "mtu = 100", "8: field `mtu` is 100, not a number from 1280 to 65521"),
        ("mtu = 9000", "mtu = 65522", "8: field `mtu` is 65522, not a number from 1280 to 65521"),
        ("mtu = 9000", "mut = 9000", "8: network `2` has no field `mut`; did you mean `mtu`?"),
        ("mtu = 9000", "mtu = \"big\"", "must be a number from 1280 to 65521, not the string"),
        ("[network.2]", "[network.02]", "write network `02` as 2"),
        ("[network.2]", "[network.300]", "network `300` is not a number from 0 to 255"),
        ("[network.2]", "[network.7]\n[network.2]", "7: no group is on network 7"),
        ("[network.2]\nmtu = 9000", "", "there is no network 2: the file has 0, 1"),
        ("nodes = \"vm\"", "nodes = \"1-250\"", "10: `250` is not a node"),
        ("nodes = \"vm\"", "nodes = \"1-221\"", "1 is a vm and 201 a router"),
        ("nodes = \"vm\"", "", "9: group `vm` lacks the field `nodes`"),
        ("nodes = \"testers\"", "nodes = 202", "vm-202 is in groups `"),
        ("[group.vm]", "[group.host]", "a group can't be called `host`"),
        ("networks = [0, 1]", "networks = [1, 0]", "11: networks begin with 0"),
        ("networks = [0, 1]", "networks = [0, 1, 1]", "network 1 comes twice"),
        (
            "networks = [0, 1]",
            "networks = [0]",
            "12: the next hop is off-link: `vm` is on 0; `routers`",
        ),
        ("networks = [0, 1]", "networks = [0, 1, 2]", "reached on several networks; choose one"),
        ("via = \"routers\"", "via = \"router\"", "no group `router`; did you mean `routers`?"),
        ("via = \"routers\"", "via = 203", "12: vm-203 is in no group"),
        ("via = \"routers\"", "via = 221", "12: `testers` has no `forward = true`"),
        ("via = \"routers\"", "via = []", "no next hop"),
        ("via = \"routers\"", "via = \"itself\", on = 1", "belong together"),
        ("via = \"routers\"", "via = \"host\", leaving_by = 1", "next hop is not on the network"),
        (
            "to = \"default\", via = \"routers\"",
            "to = 9, via = \"routers\"",
            "there is no network 9",
        ),
        (
            "{ to = \"default\", via = \"routers\" }",
            "{ to = 2, via = 201 }, { to = 2, via = 202 }",
            "12: a second route",
        ),
        (
            "via = \"routers\" }",
            "via = \"routers\", when = \"CROS\" }",
            "no variable `CROS` is declared; did you mean `CROSS`?",
        ),
        ("masquerade = [1]", "masquerade = [0]", "17: network 0 is where"),
        ("delay = \"50ms\"", "delay = \"50\"", "26: delay `50` is not of the form 50ms"),
        ("delay = \"50ms\"", "", "an impairment needs one of"),
        ("network = 2\n", "network = 0\nend = \"tap\"\n", "an impairment's end is"),
        ("nodes = 201", "nodes = 1", "25: vm-001 is not on network 2"),
        ("testers = 1", "testers = 21", "2: field `testers` is 21, not a number from 0 to 20"),
        ("testers = 1", "routers = 3", "2: routers = 3, but 203 is in no group"),
        ("nodes = \"vm\"", "nodes = \"1-255\"", "10: `255` is not a node"),
        ("[network.2]", "[network.2]\naddresses = { of = 9 }", "there is no network 9"),
        ("description = \"nodes", "# \"nodes", "lacks the field `description`"),
        ("kind = \"flag\"", "kind = \"number\"", "5: a variable's kind is"),
        ("[network.1]", "[network.1", "6: not TOML: "),
    ];
    for (from, to, message) in rows {
        let text = GOOD.replacen(from, to, 1);
        let error = parse(&text).map(|_| ()).expect_err(to).to_string();
        assert!(error.contains(message), "{to}: {error}");
    }
}

#[test]
fn nat_needs_a_way_to_what_it_masquerades() {
    let more = "[network.3]\n[group.lan]\nnodes = 203\nnetworks = [0, 3]\nforward = true\n";
    let text = GOOD.replace("masquerade = [1]", "masquerade = [1, 3]") + more;
    let text = text.replace("[[impairment]]\nnodes = 201\nnetwork = 2\ndelay = \"50ms\"\n", "");
    let error = parse(&text).unwrap_err().to_string();
    assert_eq!(error, "t.toml:17: `routers` is not on network 3 and has no route to it");
}

#[test]
fn nat_needs_the_host_behind_it() {
    let text = GOOD
        .replace("via = \"host\"", "via = 221")
        .replace("nodes = \"testers\"", "nodes = \"testers\"\nforward = true");
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.contains("17: `routers` masquerades what leaves by eth0, so it"), "{error}");
}

#[test]
fn default_routes_may_not_go_in_a_circle() {
    let text = GOOD
        .replace("masquerade = [1]\n", "")
        .replace("via = \"host\"", "via = 221")
        .replace("nodes = \"testers\"", "nodes = \"testers\"\nforward = true");
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.contains("go in a circle: vm -> routers -> testers -> routers"), "{error}");
}

#[test]
fn bridged_networks_share_a_subnet() {
    let bridged = "forward = true\nbridges = [{ name = \"br1\", networks = [1, 2] }]";
    let text = GOOD.replace("forward = true", bridged);
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.contains("13: networks 1 and 2 are bridged, so one must have"), "{error}");
    let text = text.replace("mtu = 9000", "addresses = { of = 1 }").replace("[201, 202]", "201");
    let topology = parse(&text).unwrap();
    assert_eq!(topology.groups[1].bridges[0].name, "br1");
    let unbridged = text.replace("bridges = ", "# ");
    let error = parse(&unbridged).unwrap_err().to_string();
    assert!(error.contains("have the same addresses, so a node on both must bridge"), "{error}");
}

/// Each of these was taken once, and the nodes did not come up.
#[test]
fn what_would_keep_nodes_from_coming_up_is_refused() {
    let bridged = |bridges: &str| {
        let text =
            GOOD.replace("mtu = 9000", "addresses = { of = 1 }").replace("[201, 202]", "201");
        text.replace("forward = true", &format!("forward = true\nbridges = [{bridges}]"))
    };
    let named = |name: &str| bridged(&format!("{{ name = \"{name}\", networks = [1, 2] }}"));
    for name in ["br1", "my-br", "a.b", "lo1", "x23456789012345"] {
        assert!(parse(&named(name)).is_ok(), "{name}");
    }
    let names = [
        "lo",
        "all",
        "default",
        ".",
        "..",
        "xcin1",
        "eth7",
        "bonding_masters",
        "-x",
        "_x",
        "",
        "a b",
        "a/b",
        "a:b",
        "x234567890123456",
    ];
    for name in names {
        let error = parse(&named(name)).expect_err(name).to_string();
        assert!(error.starts_with("t.toml:17: "), "{name}: {error}");
        assert!(error.contains(&format!("can't be called `{name}`")), "{error}");
    }
    let hops = |hops: &str| GOOD.replace("via = \"routers\"", &format!("via = [{hops}]"));
    let rows = [
        (
            bridged("{ name = \"a\", networks = [1] }, { name = \"a\", networks = [2] }"),
            "17: a second bridge `a` in the same group",
        ),
        (bridged("{ name = \"a\", networks = [] }"), "17: the bridge `a` needs a network at least"),
        (bridged("{ name = \"a\", networks = [1, 1] }"), "17: network 1 can't be a port of a here"),
        (hops("\"routers\", \"routers\""), "12: the next hop vm-201 comes twice"),
        (hops("\"routers\", 202"), "12: the next hop vm-202 comes twice"),
        (hops("201, 201"), "12: the next hop vm-201 comes twice"),
        (GOOD.replace("\"50ms\"", "\"99999999s\""), "26: delay `99999999s` is not between"),
        (GOOD.replace("[group.vm]", "[group.name]"), "9: a group can't be called `name`"),
        (GOOD.replace("[group.vm]", "[group.groups]"), "9: a group can't be called `groups`"),
        (
            GOOD.replace("to = \"default\", via = \"routers\"", "to = 1, via = \"routers\""),
            "12: `vm` has addresses of network 1, so it needs no route to it",
        ),
        (
            GOOD.replace("to = \"default\", via = \"routers\"", "to = 0, via = \"nothing\""),
            "12: `vm` has addresses of network 0",
        ),
    ];
    for (text, message) in rows {
        let error = parse(&text).map(|_| ()).expect_err(message).to_string();
        assert!(error.contains(message), "{message}: {error}");
    }
}

/// What each link does in the end, `NODES NETWORK END SETTINGS`, or the error.
fn impaired(tables: &str) -> String {
    let good = GOOD.split("[[impairment]]").next().unwrap();
    let impairment = |i: &super::super::Impairment| {
        format!("{} {} {:?} {}", i.nodes, i.network, i.end, i.netem.settings())
    };
    match parse(&format!("{good}{tables}")) {
        Ok(topology) => topology.impairments.iter().map(impairment).collect::<Vec<_>>().join("; "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn impairments_of_one_link_are_merged_and_the_narrower_wins() {
    let tables = |rows: &[(&str, &str)]| {
        let table = |(nodes, rest): &(&str, &str)| {
            format!("[[impairment]]\nnodes = \"{nodes}\"\nnetwork = 2\n{rest}\n")
        };
        impaired(&rows.iter().map(table).collect::<String>())
    };
    let rows: &[(&[(&str, &str)], &str)] = &[
        (
            &[("201-202", "delay = \"50ms\""), ("201", "loss = \"1%\"")],
            "201 2 Node delay 50ms loss 1%; 202 2 Node delay 50ms",
        ),
        (
            &[("201", "delay = \"9ms\"\nloss = \"1%\""), ("201-202", "delay = \"50ms\"")],
            "201 2 Node delay 9ms loss 1%; 202 2 Node delay 50ms",
        ),
        (&[("201", "delay = \"9ms\""), ("201", "jitter = \"1ms\"")], "201 2 Node delay 9ms 1ms"),
        (&[("201", "delay = \"9ms\""), ("201", "delay = \"9ms\"")], "201 2 Node delay 9ms"),
        (
            &[("201", "delay = \"9ms\""), ("201", "end = \"host\"\ndelay = \"5ms\"")],
            "201 2 Node delay 9ms; 201 2 Host delay 5ms",
        ),
        // The narrower takes a setting off, and an impairment with it where nothing is left.
        (&[("201-202", "loss = \"1%\""), ("202", "loss = \"0\"")], "201 2 Node loss 1%"),
        (
            &[("testers", "loss = \"1%\""), ("221-222", "loss = \"2%\""), ("222", "loss = \"0\"")],
            "221 2 Node loss 2%; 223-240 2 Node loss 1%",
        ),
        (
            &[("201", "delay = \"9ms\""), ("201", "delay = \"8ms\"")],
            "t.toml:30: delay of vm-201 on network 2 is both `9ms`, for nodes 201, and `8ms`, for \
             nodes 201: neither is for fewer of the other's nodes",
        ),
        (
            &[("221-223", "rate = \"1mbit\""), ("222-224", "rate = \"2mbit\"")],
            "t.toml:30: rate of vm-222 on network 2 is both `1mbit`, for nodes 221-223, and \
             `2mbit`, for nodes 222-224: neither is for fewer of the other's nodes",
        ),
        (
            &[("221-223", "rate = \"1mbit\""), ("222-224", "loss = \"1%\"")],
            "221 2 Node rate 1mbit; 222-223 2 Node loss 1% rate 1mbit; 224 2 Node loss 1%",
        ),
        (&[("201", "jitter = \"1ms\"")], "t.toml:23: jitter and reorder need a delay"),
        (
            &[("201-202", "delay = \"9ms\"\njitter = \"1ms\""), ("201", "delay = \"0\"")],
            "t.toml:28: jitter and reorder need a delay",
        ),
    ];
    for (given, expected) in rows {
        assert_eq!(tables(given), *expected, "{given:?}");
    }
    let lost = "[[impairment]]\nnodes = 201\nnetwork = 0\nloss = \"100.0%\"\n";
    let error = "t.toml:26: network 0 is how vm-201 is reached, so it can't lose all packets";
    assert_eq!(impaired(lost), error);
}

#[test]
fn variables_decide_and_only_declared_ones_are_asked_for() {
    let text = GOOD.replace(
        "to = \"default\", via = \"routers\"",
        "to = \"default\", via = \"routers\", unless = \"CROSS\"",
    );
    for (value, routes) in [(None, 1), (Some("no"), 1), (Some(""), 1), (Some("yes"), 0)] {
        let lookup = |name: &str| {
            assert_eq!(name, "CROSS");
            value.map(str::to_string)
        };
        let topology = Topology::parse("t.toml", "t", &text, &lookup).unwrap();
        assert_eq!(topology.groups[0].routes.len(), routes, "{value:?}");
    }
    let error = Topology::parse("t.toml", "t", &text, &|_| Some("maybe".into())).unwrap_err();
    assert_eq!(error.to_string(), "t.toml:3: CROSS: is `maybe`, but can only be yes or no");
}

#[test]
fn the_host_is_no_way_around_the_topology() {
    let text = GOOD.replace("networks = [0, 1, 2]", "networks = [0, 1]").replace(
        "[group.testers]\nnodes = \"testers\"\nnetworks = [0, 2]\nroutes = [{ to = \"default\", via = [201, 202] }]\n[[impairment]]\nnodes = 201",
        "[group.testers]\nnodes = \"testers\"\nnetworks = [0, 2]\n[[impairment]]\nnodes = 221",
    );
    let topology = parse(&text).unwrap();
    let last = topology.groups[1].routes.last().unwrap();
    assert_eq!(last.via, Via::Nothing);
}

#[test]
fn counts_are_as_many_as_groups_have() {
    let text =
        "description = \"two\"\n[network.1]\n[group.vm]\nnodes = \"1-2\"\nnetworks = [0, 1]\n";
    let counts = parse(text).unwrap().counts;
    assert_eq!((counts.vm, counts.routers, counts.testers), (2, 0, 0));
}

#[test]
fn masquerade_can_not_go_in_a_circle() {
    let router = |name: &str, node: u8, next: u8, network: u8| {
        format!(
            "[group.{name}]\nnodes = {node}\nnetworks = [0, 1, 2]\nforward = true\n\
             masquerade = [{network}]\n\
             routes = [{{ to = \"default\", via = {next}, on = {network} }}]\n"
        )
    };
    let text = "description = \"loop\"\n[network.1]\n[network.2]\n".to_owned()
        + &router("a", 201, 202, 1)
        + &router("b", 202, 201, 2);
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.starts_with("t.toml:8: `a` masquerades what leaves by eth0"), "{error}");
}

#[test]
fn template_has_no_room_for_the_network() {
    let text = "description = \"t\"\n[network.9]\naddresses = { from = \"T\" }\n\
        [variable.T]\ndescription = \"t\"\nkind = \"addresses\"\n\
        [group.vm]\nnodes = \"vm\"\nnetworks = [0, 9]\n";
    let lookup = |_: &str| Some("10.0.0.0/22/24".to_owned());
    let error = Topology::parse("t.toml", "t", text, &lookup).unwrap_err();
    assert_eq!(error.to_string(), "t.toml:3: network 9 doesn't fit into 2 bits");
}

proptest::proptest! {
    /// Whatever is written, it is read or refused.
    #[test]
    fn no_text_is_too_odd(at in 0..GOOD.len(), cut in 0..40usize, put in "[ -~\n]{0,8}") {
        let end = (at + cut).min(GOOD.len());
        let _ = parse(&format!("{}{put}{}", &GOOD[..at], &GOOD[end..]));
    }
}
