//! What settings are, and that the table is true.

use std::collections::BTreeSet;
use std::path::Path;

use super::definition::{Group, Kind};
use super::table::start::StartSettings;
use super::{Given, HostSettings, Settings, Variables, table};
use xc_net::user::UserNet;
use xc_topology::address::{NetworkId, NodeId, Prefix, Role};

fn given(pairs: &[(&str, &str)]) -> Given {
    Variables::from_pairs(pairs.iter().copied()).into()
}

fn resolve(pairs: &[(&str, &str)]) -> Result<Settings, String> {
    Settings::resolve(given(pairs)).map_err(|e| e.to_string())
}

fn with_home(pairs: &[(&str, &str)]) -> Settings {
    resolve(&[&[("HOME", "/h")], pairs].concat()).unwrap()
}

/// The settings of a session with that environment.
pub(crate) fn host(pairs: &[(&str, &str)]) -> HostSettings {
    Group::read(&given(pairs)).unwrap()
}

#[test]
fn places_follow_home_and_can_be_set_one_by_one() {
    let p = with_home(&[]).places;
    assert_eq!(p.cdrom, Path::new("/h/xcluster/xcluster/tmp/cdrom.iso"));
    assert_eq!(p.store, Path::new("/h/.cache/xcbuild"));
    assert_eq!(p.package_lock(), Path::new("/h/xcluster/xcbuild.lock"));
    let p = resolve(&[
        ("XCLUSTER_WORKSPACE", "/w/"),
        ("XDG_CACHE_HOME", "/c"),
        ("XDG_RUNTIME_DIR", "/r"),
        ("ARCHIVE", "/a"),
        ("__cdrom", "/c.iso"),
        ("XCLUSTER_OVLPATH", "/o1::/o2"),
    ]);
    let p = p.unwrap().places;
    assert_eq!(p.overlays, [Path::new("/o1"), Path::new("/o2")]);
    assert_eq!((p.cdrom, p.home.display().to_string()), ("/c.iso".into(), "/w/xcluster".into()));
    assert_eq!((p.store, p.run), ("/c/xcbuild".into(), "/r/xcbuild".into()));
}

#[test]
fn bad_values_are_named() {
    let home = ("HOME", "/h");
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[], "$HOME is not set; set it, or set $XCLUSTER_WORKSPACE"),
        (&[("XCLUSTER_WORKSPACE", "/w")], "$HOME is not set; set it, or set $XCBUILD_STORE"),
        (&[home, ("__nvm", "x")], "__nvm=x: a number from 0 to 200 is expected"),
        (&[home, ("__nrouters", "21")], "__nrouters=21: a number from 0 to 20 is expected"),
        (&[home, ("__mtu", "900")], "__mtu=900: a number from 1280 to 65521 is expected"),
        (
            &[home, ("__cluster", "a/b")],
            "__cluster=a/b: a cluster's name is up to 32 letters, digits, `-`, `_` and `.`, the first a letter, a digit or `_`; not `ports`, and no `.lock` or `.turn` at the end",
        ),
        (
            &[home, ("PREFIX", "10::")],
            "PREFIX=10::: IPv6 prefix `10::` does not give an address when `:192.168.0.1` is added to it",
        ),
    ];
    for (pairs, message) in rows {
        assert_eq!(resolve(pairs).unwrap_err(), *message);
    }
}

#[test]
fn options_are_named_as_they_were_given() {
    let mut given = given(&[("HOME", "/h"), ("__accel", "xen")]);
    let accel = |given: &Given| StartSettings::read(given).unwrap_err().to_string();
    assert_eq!(accel(&given), "__accel=xen: kvm, tcg or auto is expected");
    given.set_option("__accel", "hvf");
    assert_eq!(accel(&given), "--accel=hvf: kvm, tcg or auto is expected");
}

#[test]
fn empty_variables_are_unset_ones() {
    let s = with_home(&[("__nvm", ""), ("TOPOLOGY", ""), ("__mem", "384")]);
    assert_eq!((s.cluster.vms, s.build.topology.as_str()), (None, "xnet"));
    assert_eq!(s.cluster.memory_mib.all, Some(384));
    let s = with_home(&[("PREFIX", "/usr")]);
    assert_eq!(s.variables().get("PREFIX"), None, "a place of programs");
}

#[test]
fn single_nodes_and_roles_are_read() {
    let s = with_home(&[
        ("__nets201", "0,3"),
        ("__nets_vm", "0,5"),
        ("__mem7", "384"),
        ("__smp240", "1"),
        ("__append3", "quiet x=1"),
        ("__kvm_opt3", "-uuid  x"),
        ("__kvm_opt4", "-name 'a b'"),
        ("__memory", "1"),
        ("__mem999", "1"),
    ]);
    let o = s.overrides();
    let node = |n| NodeId::new(n).unwrap();
    assert_eq!(o.networks[&node(201)], [NetworkId(0), NetworkId(3)]);
    assert_eq!(o.networks_of_role[&Role::Vm], [NetworkId(0), NetworkId(5)]);
    assert_eq!(o.memory_mib_of.iter().collect::<Vec<_>>(), [(&node(7), &384)]);
    assert_eq!(o.cpus_of[&node(240)], 1);
    assert_eq!(o.append_of[&node(3)], "quiet x=1");
    let options = s.qemu_options_of();
    assert_eq!(options[&node(3)], ["-uuid", "x"]);
    assert_eq!(options[&node(4)], ["-name", "a b"]);
    let unclosed = resolve(&[("HOME", "/h"), ("__kvm_opt3", "-name 'a")]).unwrap_err();
    assert_eq!(unclosed, "__kvm_opt3=-name 'a: a quote is not closed");
}

#[test]
fn bad_values_for_single_nodes_are_named() {
    for (name, value) in [("__mem7", "0"), ("__smp1", "two"), ("__nets201", "1,2")] {
        let e = resolve(&[("HOME", "/h"), (name, value)]).unwrap_err();
        assert!(e.starts_with(&format!("{name}={value}: ")), "{e}");
    }
}

#[test]
fn scripts_get_what_is_theirs() {
    let s = with_home(
        &[
            ("__jobs", "3"),
            ("__x", "y"),
            ("xcluster_TZ", "UTC"),
            ("TEST", "t"),
            ("LANG", "de"),
            ("__mem", " 7 7"),
        ][..5],
    );
    let scripts = s.of_scripts();
    for (name, value) in [("__x", "y"), ("xcluster_TZ", "UTC"), ("TEST", "t"), ("__mem", "128")] {
        assert_eq!(scripts.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!scripts.contains_key("__jobs") && !scripts.contains_key("LANG"));
    let passed = super::exported::passed();
    let others = ["GOPATH", "HOME", "PREFIX", "SETUP", "TEST", "TOPOLOGY", "USER", "XOVLS"];
    assert!(others.iter().all(|name| passed.contains(name)) && passed.contains("XCLUSTER_HOOK"));
    assert_eq!(passed.others.len(), others.len() + 1);
    assert_eq!(s.others().collect::<Vec<_>>(), [("__jobs", "3"), ("__x", "y")]);
}

#[test]
fn each_setting_is_declared_once_with_a_doc_a_use_and_true_verbs() {
    let (mut variables, mut options) = (BTreeSet::new(), BTreeSet::new());
    let verbs = crate::cli::paths_of_verbs();
    for definition in table::all() {
        let name = definition.variable;
        assert!(variables.insert(name), "{name} is declared twice");
        assert!(
            definition.option.is_none_or(|option| options.insert(option)),
            "{name}: its option"
        );
        assert!(!definition.text().is_empty() && !definition.text().ends_with('.'), "{name}: doc");
        let value_name = definition.value_name.is_empty();
        let takes = definition.option.is_some() && definition.kind != Kind::Flag;
        assert_eq!(value_name, !takes, "{name}: the name of its value");
        for verb in definition.verbs.iter().copied().flatten() {
            assert!(verbs.iter().any(|known| known == verb), "{name}: there is no verb {verb}");
        }
    }
}

#[test]
fn each_setting_has_a_use() {
    let sources = walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/xcbuild/src"));
    let files = sources.into_iter().map(Result::unwrap).filter(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|e| e == "rs") && !path.to_string_lossy().contains("/table/")
    });
    let text: String = files.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect();
    let words: BTreeSet<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric() && !"_.:".contains(c)).collect();
    let named = |end: &str| words.iter().any(|word| word.contains(end));
    for (field, definition) in table::all_fields() {
        let variable = format!("${}", definition.variable);
        let by_default = table::all().flat_map(|d| d.defaults).any(|d| d.contains(&variable));
        let used = named(&format!(".{field}")) || named(&format!("::{field}")) || by_default;
        assert!(used, "nothing uses {} ({field})", definition.variable);
    }
}

#[test]
fn defaults_are_valid_and_those_of_the_libraries() {
    let s = with_home(&[]);
    s.start().unwrap();
    let net = UserNet::default();
    let c = &s.cluster;
    assert_eq!((c.telnet_base, c.ssh_base), (net.telnet_base, net.ssh_base));
    assert_eq!((c.kubernetes_port, c.dns_port), (net.k8s_port, net.dns_port));
    assert_eq!((c.multicast_base, &c.prefix), (net.mcast_base, &Prefix::default()));
    for (name, value) in s.contract() {
        assert!(name == "XCLUSTER_OVLPATH" || !value.is_empty(), "{name}");
    }
}
