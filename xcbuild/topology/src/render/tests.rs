use std::path::{Path, PathBuf};

use super::super::Topology;
use super::files;

fn overlay() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ovl/network-topology")
}

fn read(name: &str, set: &[(&str, &str)]) -> Topology {
    let file = overlay().join("topologies").join(name).with_extension("toml");
    let text = fs_err::read_to_string(&file).unwrap();
    let lookup = |wanted: &str| {
        set.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_string())
    };
    Topology::parse(&file.display().to_string(), name, &text, &lookup).unwrap()
}

/// All shipped topologies by name.
fn names() -> Vec<String> {
    let entries = fs_err::read_dir(overlay().join("topologies")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_string()).collect();
    names.sort();
    names
}

#[test]
fn all_eleven_are_shipped() {
    let all = "backend bridge diamond dual-path evil_tester multihop multilan multilan-router \
               x-diamond xnet zones";
    assert_eq!(names().join(" "), all);
}

/// Files of a topology one after another, hosts files by their first lines only.
fn listing(topology: &Topology) -> String {
    let mut text = String::new();
    for (path, file) in files(topology) {
        let lines = if path == "etc/hosts" { 6 } else { usize::MAX };
        text += &format!("==> {path}\n");
        text.extend(file.content.lines().take(lines).map(|line| format!("{line}\n")));
    }
    text
}

#[test]
fn rendered_files_are_those_looked_at() {
    for name in names() {
        insta::assert_snapshot!(name.clone(), listing(&read(&name, &[])));
    }
    let crossed = read("dual-path", &[("CROSSROUTE", "yes")]);
    insta::assert_snapshot!("dual-path-crossed", listing(&crossed));
    let template = read("multilan-router", &[("XLAN_TEMPLATE", "169.254.0.0/20/24")]);
    insta::assert_snapshot!("multilan-router-template", listing(&template));
}

#[test]
fn hosts_name_every_node_in_both_families() {
    let files = files(&read("xnet", &[]));
    let hosts = &files["etc/hosts"].content;
    for line in [
        "192.168.0.250 host",
        "1000::1:192.168.0.250 host ip6-host",
        "192.168.1.1 vm-001",
        "1000::1:192.168.1.202 vm-202 ip6-vm-202",
        "192.168.2.240 vm-240",
    ] {
        assert!(hosts.lines().any(|other| other == line), "{line}");
    }
    assert_eq!(hosts.lines().count(), 4 + 2 * 240);
}

#[test]
fn impairments_are_files_of_their_nodes() {
    let file = overlay().join("topologies/xnet.toml");
    let bad = "[[impairment]]\nnodes = \"201-202\"\nnetwork = 2\ndelay = \"50ms\"\nloss = \"1%\"\n\
               [[impairment]]\nnodes = 201\nnetwork = 1\nrate = \"10mbit\"\nend = \"host\"\n";
    let text = fs_err::read_to_string(file).unwrap() + bad;
    let files = files(&Topology::parse("t", "t", &text, &|_| None).unwrap());
    let at = |node: u8| files.get(&format!("etc/xcluster/topology/routers/tc-{node}"));
    let line = "qdisc replace dev <if2> root netem delay 50ms loss 1% limit 10000\n";
    assert_eq!(at(202).map(|file| file.content.as_str()), Some(line));
    assert_eq!(at(203), None);
    insta::assert_snapshot!(at(201).unwrap().content, @r"
    qdisc replace dev <if2> root netem delay 50ms loss 1% limit 10000
    qdisc add dev <if1> handle ffff: ingress
    filter add dev <if1> parent ffff: matchall action mirred egress redirect dev xcin1
    qdisc replace dev xcin1 root netem rate 10mbit
    ");
    insta::assert_snapshot!(files["etc/xcluster/topology/routers/ip-201"].content, @r"
    link add xcin1 type ifb
    link set xcin1 addrgenmode none up
    ");
}
