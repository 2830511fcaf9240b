//! Files in the repository that are made from the topologies: each is held to what it is made from.
//! `make derived` writes them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{topology, with_tester};
use xc_topology::show::{View, svg};
use xc_topology::{Overrides, render};

const HEAD: &str = "\
# Topologies

Made by `make derived` from `ovl/network-topology/topologies/`; don't edit. Every node is on network 0
(`eth0`) as well, which the pictures leave out. `ovl/network-topology/README.md` describes the language.
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All shipped topologies, the default first.
fn names() -> Vec<String> {
    let entries = fs::read_dir(root().join("ovl/network-topology/topologies")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_string()).collect();
    names.sort_by_key(|name| (name != "xnet", name.clone()));
    names
}

fn holds(file: &Path, wanted: &str) {
    let file: PathBuf = root().join(file);
    if std::env::var_os("XCBUILD_WRITE_DERIVED").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, wanted).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == wanted, "{} is stale: run `make derived`", file.display());
}

#[test]
fn envsettings_follow_the_topologies() {
    for name in names() {
        let file = Path::new("ovl/network-topology").join(&name).join("Envsettings");
        holds(&file, &render::envsettings(&topology(&name, &[])));
    }
}

/// A shell that sources one after another has the settings of the last, and no more.
#[test]
fn envsettings_leave_nothing_of_another_topology() {
    let dir = root().join("ovl/network-topology");
    let script = format!(
        "cd {}; export XCLUSTER=true __mem3=512
         . x-diamond/Envsettings; . bridge/Envsettings
         echo $TOPOLOGY $__nrouters $__ntesters $__nets_router $__mem3 ${{__nets205:-none}} $__nets221",
        dir.display()
    );
    let output = std::process::Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "bridge 1 1 0,1,2 512 none 0,2\n");
}

#[test]
fn pictures_follow_the_topologies() {
    let mut page = HEAD.to_string();
    for name in names() {
        let topology = topology(&name, &[]);
        let overrides = Overrides::default();
        let nodes = topology.nodes(&with_tester(&topology), &overrides).unwrap();
        let picture = Path::new("docs/topologies").join(&name).with_extension("svg");
        holds(&picture, &svg(&View::of(&topology, &nodes, &overrides)));
        let description = &topology.description;
        page += &format!("\n## {name}\n\n{description}.\n\n![{name}](topologies/{name}.svg)\n");
    }
    holds(Path::new("docs/topologies.md"), &page);
}
