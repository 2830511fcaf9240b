//! From the command line to settings.

use super::{command, parse};
use crate::settings::table::verbs::{CacheSettings, CdromSettings, InstallSettings, RshSettings};
use crate::settings::{Given, Invocation, Variables};

fn parsed(line: &str, environment: &[(&str, &str)]) -> Result<Invocation, String> {
    let given = Given::from(Variables::from_pairs(environment.iter().copied()));
    let parsed = parse(line.split(' ').map(Into::into).collect(), given);
    parsed.map(|(_, invocation)| invocation).map_err(|e| e.to_string())
}

#[test]
fn parser_is_consistent() {
    command().debug_assert();
}

#[test]
fn settings_of_other_verbs_are_taken_and_misspelt_ones_are_errors() {
    for (line, set) in [
        ("x env --nets-vm=0,3 --mem=7", &[("__mem", "7"), ("__nets_vm", "0,3")][..]),
        ("x mkcdrom --nrouters=1 --label=x a", &[("__label", "x"), ("__nrouters", "1")]),
        ("x env --timeout=7", &[("__boot_timeout", "7")]),
        ("x -q env --mem=7", &[("__mem", "7")]),
        ("x start --kver=6 --base-libs=l", &[("__base_libs", "l"), ("__kver", "6")]),
        ("x svm --label=x 1", &[("__label", "x")]),
        ("x start --keep_going --order=vms", &[("__keep_going", "yes"), ("__order", "vms")]),
        ("x dns serve --dns-upstream=a --dns-upstream=b", &[("__dns_upstream", "a,b")]),
        ("x dns check --cluster=c", &[("__cluster", "c")]),
        ("x inject --sudo --addr=a o", &[("__addr", "a"), ("__sudo", "sudo")]),
        ("x starts --mem=1 --mem=2", &[("__mem", "2")]),
    ] {
        assert_eq!(parsed(line, &[]).unwrap().given().pairs(), set, "{line}");
    }
    for line in [
        "x mkcdrom --nrouter=1 a",
        "x stop --mem=7",
        "x start --keep-going=yes",
        "x start --dest=d",
        "x rsh --label=x 1",
    ] {
        assert!(parsed(line, &[]).is_err(), "{line}");
    }
}

#[test]
fn options_beat_the_environment_when_they_are_given() {
    let set = [("__mem", "1"), ("__nets_vm", "0,9"), ("__keep_going", "x")];
    let with = |line| parsed(line, &set).unwrap();
    let all = [("__keep_going", "x"), ("__mem", "2"), ("__nets_vm", "0,9")];
    assert_eq!(with("x start --mem=2").given().pairs(), all);
    let all = [("__keep_going", "yes"), ("__mem", "1"), ("__nets_vm", "0")];
    assert_eq!(with("x start --nets_vm=0 --keep-going").given().pairs(), all);
}

#[test]
fn options_come_from_the_environment_unless_they_are_given() {
    let set = [
        ("__label", "a b"),
        ("__script", "s"),
        ("__dest", "/d"),
        ("__bg", "yes"),
        ("__bootable", "no"),
        ("__list", "yes"),
        ("__clear", "no"),
        ("__size", ""),
    ];
    let with = |line| parsed(line, &set).unwrap();
    let label = |line| with(line).read::<CdromSettings>().unwrap().label.unwrap();
    assert_eq!(label("x mkcdrom o"), "a b");
    assert_eq!(label("x -q mkcdrom --label=c o"), "c");
    let dest = |line| with(line).read::<InstallSettings>().unwrap().dest.unwrap();
    assert_eq!(dest("x install_prog ls"), std::path::Path::new("/d"));
    assert_eq!(dest("x install_prog ls --dest=y"), std::path::Path::new("y"));
    let background = |line: &str, set: &[_]| {
        parsed(line, set).unwrap().read::<RshSettings>().unwrap().background
    };
    assert!(background("x rsh 1 ls --bg", &set) && background("x rsh --bg 1 ls", &[]));
    assert!(!background("x rsh 1 ls --bg", &[]), "the command's own");
    let cache: CacheSettings = with("x cache size").read().unwrap();
    assert!(cache.list && !cache.clear);
}
