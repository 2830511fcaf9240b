//! File capabilities and access lists of overlays on a node: no ISO holds them.

use xc_harness::Need;

use crate::common::need::QEMU;
use crate::common::{Workspace, tool};

/// As `setcap cap_net_raw+ep` writes it.
const NET_RAW: &str = "security.capability=0x0100000200200000000000000000000000000000\n";

/// A manifest that gives capabilities, and a tar whose program and directory have attributes.
fn overlays(workspace: &mut Workspace) -> String {
    let place = workspace.home().join("ovl");
    std::fs::create_dir_all(place.join("given/default/bin")).unwrap();
    std::fs::write(place.join("given/default/bin/given"), "given\n").unwrap();
    let manifest = "description = 'x'\n[attributes]\n\
        '/bin/given' = { mode = '0755', capabilities = 'cap_net_raw+ep' }\n";
    std::fs::write(place.join("given/ovl.toml"), manifest).unwrap();
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    let from = workspace.home().join("from");
    std::fs::create_dir_all(from.join("bin")).unwrap();
    std::fs::write(from.join("bin/tarred"), "tarred\n").unwrap();
    tool::run("setcap", &["cap_net_raw+ep", from.join("bin/tarred").to_str().unwrap()]);
    let tar = workspace.home().join("tarred.tar").to_str().unwrap().to_owned();
    let from = from.to_str().unwrap();
    tool::run("tar", &["--xattrs", "--xattrs-include=*", "-C", from, "-cf", &tar, "."]);
    tar
}

/// A tar of a file whose access list names a user, by number.
fn listed(workspace: &Workspace) -> String {
    let path = workspace.home().join("listed.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
    let acl = b"user::rw-,user:1001:r--,group::r--,mask::r--,other::---";
    tar.append_pax_extensions([("SCHILY.acl.access", &acl[..])]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_mode(0o640);
    tar.append_data(&mut header, "etc/listed", std::io::empty()).unwrap();
    tar.finish().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test(needs = [QEMU, Need::Root, Need::Program("setcap")], serial)]
fn capabilities_and_access_lists_are_on_nodes_in_both_layouts() {
    let mut workspace = Workspace::new();
    let tarred = overlays(&mut workspace);
    let listed = listed(&workspace);
    workspace.ok(&["mkimage"]);
    let cluster = workspace.cluster();
    let get = |name: &str, file: &str| {
        let command = format!("getfattr --absolute-names -n {name} -e hex {file} | grep =");
        workspace.ok(&["rsh", "1", &command])
    };
    for layout in ["--layout=tree", "--layout=tar"] {
        workspace.ok(&["mkcdrom", layout, "given", &tarred, &listed]);
        workspace.ok(&["starts", "--nvm=1", "--nrouters=0"]);
        for file in ["/usr/bin/given", "/bin/tarred"] {
            assert_eq!(get("security.capability", file), NET_RAW, "{layout} {file}");
        }
        let acl = get("system.posix_acl_access", "/etc/listed");
        assert!(acl.contains("02000400e9030000"), "{layout}: {acl}");
        let mode = workspace.ok(&["rsh", "1", "stat -c '%a %s' /usr/bin/given /etc/listed"]);
        assert_eq!(mode, "755 6\n640 0\n", "{layout}");
    }
    drop(cluster);
    // The tars that others get have them, too.
    let tar = workspace.home().join("out.tar");
    workspace.ok(&["ovl", "tar", "given", tar.to_str().unwrap()]);
    let list = tool::run("tar", &["--xattrs-include=*", "-tvvf", tar.to_str().unwrap()]);
    assert!(list.contains("x: 20 security.capability"), "{list}");
}

/// A checkout keeps none, so a build says what is left out.
#[test(needs = [Need::Root, Need::Program("setcap")])]
fn capabilities_of_copied_trees_are_warned_of() {
    let mut workspace = Workspace::fresh();
    overlays(&mut workspace);
    let file = workspace.home().join("ovl/given/default/bin/given");
    tool::run("setcap", &["cap_net_raw+ep", file.to_str().unwrap()]);
    let done = workspace.xcbuild(&["mkcdrom", "given"]).assert().success();
    let said = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(said.contains("WARNING: `default/bin/given` and perhaps others have cap"), "{said}");
    let manifest = workspace.home().join("ovl/given/ovl.toml");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("net_raw+ep", "net_rw+ep");
    std::fs::write(&manifest, text).unwrap();
    let stderr = workspace.fails(&["mkcdrom", "given"], 1);
    assert!(
        stderr.contains("ovl.toml:3: `cap_net_rw` is not a capability; did you mean"),
        "{stderr}"
    );
}
