//! `mkimage`, `ximage`, `inject`, and images of the user's own.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use xc_harness::{Fixture, Need};

use crate::common::machine::{Machine, OVMF};
use crate::common::need::QEMU;
use crate::common::running::NAMESPACE_LANE;
use crate::common::{Workspace, tool};

/// A workspace with overlays `NAME`, each with a file `/etc/NAME` that has that text.
fn workspace(overlays: &[&str]) -> Workspace {
    let mut workspace = Workspace::new();
    let place = workspace.home().join("ovl");
    for name in overlays {
        let etc = place.join(name).join("default/etc");
        std::fs::create_dir_all(&etc).unwrap();
        std::fs::write(etc.join(name), format!("{name}\n")).unwrap();
        std::fs::write(place.join(name).join("ovl.toml"), "description = \"a file\"\n").unwrap();
    }
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    workspace
}

/// A bootable disk, in a workspace.
static DISK: Fixture<(Workspace, PathBuf)> = Fixture::serial_in(
    NAMESPACE_LANE,
    &[Need::Program("mformat"), Need::Program("mke2fs")],
    || {
        let workspace = workspace(&[]);
        let disk = workspace.home().join("disk.qcow2");
        let image = format!("--image={}", disk.display());
        let size = "--size=700M";
        let said = workspace.ok(&["mkimage", &image, "--format=qcow2", size, "--bootable"]);
        assert_eq!(said.trim(), disk.to_str().unwrap());
        (workspace, disk)
    },
);

#[test(on = &DISK)]
fn a_bootable_disk_takes_no_room_where_it_is_empty() {
    let disk = &DISK.get().1;
    let header = std::fs::read(disk).unwrap();
    assert_eq!(&header[..4], b"QFI\xfb");
    assert_eq!(u64::from_be_bytes(header[24..32].try_into().unwrap()), 700 << 20, "virtual size");
    assert!(header.len() < 400 << 20, "{}", header.len());
}

#[test(on = &DISK, needs = [QEMU])]
fn a_bootable_disk_boots_by_bios_and_is_written_to() {
    boots_and_is_written_to(false);
}

#[test(on = &DISK, needs = [QEMU, Need::File(OVMF, "ovmf")])]
fn a_bootable_disk_boots_by_uefi_and_is_written_to() {
    boots_and_is_written_to(true);
}

fn boots_and_is_written_to(uefi: bool) {
    // Its user sees a shell of a node whose number its MAC address gave.
    let mut machine = Machine::boot(&DISK.get().1, "qcow2", uefi);
    machine.says("vm-005 / > ");
    // With 256 MiB of memory, only the disk has that much room.
    machine.types("df -P -m / | awk 'END { print \"room\", ($2 > 300) }'");
    machine.says("room 1");
}

#[test]
fn mkimage_takes_formats_and_sizes_and_spares_what_is_not_its_own() {
    let workspace = workspace(&[]);
    let at = |name: &str| workspace.home().join(name);
    let image = |name: &str| format!("--image={}", at(name).display());
    let iso = workspace.ok(&["mkimage"]);
    let env = workspace.ok(&["env"]);
    for name in ["__image", "__kbin", "__base_libs"] {
        let line = env.lines().find_map(|l| l.strip_prefix(&format!("{name}="))).unwrap();
        assert!(std::fs::File::open(line).is_ok(), "{name}: {line}");
    }
    workspace.ok(&["mkimage", &image("small.img"), "--format=raw"]);
    assert!(
        std::fs::metadata(at("small.img")).unwrap().len()
            >= std::fs::metadata(iso.trim()).unwrap().len()
    );
    let said = workspace.fails(&["mkimage", &image("x"), "--size=1M"], 1);
    assert!(said.contains("--size=1048576: the image needs"), "{said}");
    let said = workspace.fails(&["mkimage", &image("x"), "--format=vdi"], 1);
    assert!(said.contains("--format=vdi: iso, raw or qcow2 is expected"), "{said}");
    assert!(!at("x").exists());
    std::fs::write(at("mine"), vec![1; 100_000]).unwrap();
    let said = workspace.fails(&["mkimage", &image("mine")], 1);
    assert!(said.contains("is not a base image of xcbuild's"), "{said}");
    assert_eq!(std::fs::read(at("mine")).unwrap(), vec![1; 100_000]);
    let said = workspace.fails(&["ximage", &image("mine"), "env"], 1);
    assert!(said.contains("is not a base image of xcbuild's"), "{said}");
}

#[test(needs = [QEMU], serial)]
fn an_extended_image_starts_nodes_and_overlays_are_injected() {
    let workspace = workspace(&["first", "second", "third"]);
    let disk = workspace.home().join("extended.qcow2");
    let image = format!("--image={}", disk.display());
    workspace.ok(&["mkimage", &image, "--format=qcow2"]);
    let script = workspace.home().join("script");
    std::fs::write(
        &script,
        "set -e\ntest \"$(id -u)\" = 0\ncat /etc/first /etc/hosts >/etc/by-script\n",
    )
    .unwrap();
    workspace.ok(&["ximage", &image, &format!("--script={}", script.display()), "first"]);
    workspace.ok(&["ximage", &image, "second"]);
    std::fs::write(&script, "echo no good >&2; exit 3\n").unwrap();
    let before = std::fs::read(&disk).unwrap();
    let said = workspace.fails(&["ximage", &image, &format!("--script={}", script.display())], 1);
    assert!(said.contains("no good") && std::fs::read(&disk).unwrap() == before, "{said}");

    let cluster = workspace.cluster();
    workspace.ok(&["starts", &image, "--nvm=1", "--nrouters=0"]);
    let said = workspace.ok(&["rsh", "1", "cat /etc/first /etc/second; head -1 /etc/by-script"]);
    assert_eq!(said, "first\nsecond\nfirst\n");
    workspace.ok(&["rsh", "1", "touch /etc/written"]);

    let port = ssh_port(&workspace);
    let address = format!("--addr=ssh://root@127.0.0.1:{port}");
    let said = workspace.fails(&["inject", &address, "first"], 1);
    assert!(said.contains("Permission denied"), "a node takes nobody without the key: {said}");
    let key = workspace.run_directory().join("tests/key");
    let key = format!("--key={}", key.display());
    workspace.ok(&["inject", &address, &key, "--sudo=env A=b", "first", "third"]);
    assert_eq!(workspace.ok(&["rsh", "1", "cat /etc/third; readlink /bin"]), "third\nusr/bin\n");
    let said = workspace.fails(&["inject", &address, "--key=/nonexistent", "third"], 1);
    assert!(said.contains("can't read the key (--key=)"), "{said}");
    let said = workspace.fails(&["inject", "--addr=ssh://root@127.0.0.1:1", "third"], 1);
    assert!(said.contains("can't enter `ssh://root@127.0.0.1:1` by ssh"), "{said}");
    let said = workspace.fails(&["inject", "third"], 1);
    assert!(said.contains("--addr=root@ADDRESS"), "{said}");
    drop(cluster);
}

fn ssh_port(workspace: &Workspace) -> u64 {
    let status: serde_json::Value =
        serde_json::from_str(&workspace.ok(&["status", "--json"])).unwrap();
    status["nodes"][0]["ssh_port"].as_u64().unwrap()
}

/// An image as the contract's users have them: a root file system that unpacks the tars of the
/// second disk by itself. Only root makes one.
#[test(needs = [QEMU, Need::Program("mke2fs"), Need::Root], serial)]
fn an_own_image_gets_tars_and_unpacks_them_itself() {
    let mut workspace = workspace(&["first"]);
    let iso = workspace.ok(&["mkimage"]).trim().to_owned();
    let root = workspace.home().join("root");
    workspace.ok(&["iso", "extract", "-C", root.to_str().unwrap(), &iso]);
    std::fs::rename(root.join("init"), root.join("init.base")).unwrap();
    let init = "#! /bin/sh\nmkdir -p /cdrom\nmount -t iso9660 -o ro /dev/vdb /cdrom\n\
                for t in /cdrom/*.tar; do tar -C / -x -f $t; done\nexec /init.base\n";
    std::fs::write(root.join("init"), init).unwrap();
    std::fs::set_permissions(root.join("init"), PermissionsExt::from_mode(0o755)).unwrap();
    let image = workspace.home().join("own.img");
    tool::run(
        "mke2fs",
        &["-q", "-t", "ext4", "-d", root.to_str().unwrap(), image.to_str().unwrap(), "500M"],
    );
    std::fs::remove_dir_all(&root).unwrap();

    let stacked = workspace.ok(&["mkcdrom", "first"]);
    workspace.set("__image", image.to_str().unwrap());
    let said = workspace.fails(&["starts", "--nvm=1", "--nrouters=0"], 1);
    assert!(said.contains("has overlays as directories"), "{said}");
    let tars = workspace.ok(&["mkcdrom", "first"]);
    assert_eq!(stacked, tars, "at the same place");
    let names = workspace.ok(&["iso", "ls", tars.trim()]);
    assert!(names.contains("00first.tar"), "{names}");
    let said = workspace.fails(&["up"], 1);
    assert!(said.contains("an image of your own"), "{said}");

    let before = std::fs::metadata(&image).unwrap().modified().unwrap();
    // As after `set -a; eval "$(xcbuild env)"`: our own kernel is no kernel of the user's.
    let home = workspace.home().join("xcluster/xcluster");
    let file = |name: &str| home.join(name).to_str().unwrap().to_owned();
    workspace.set("__kbin", file("vmlinuz"));
    workspace.set("__initrd", file("initramfs"));
    let cluster = workspace.cluster();
    workspace.ok(&["starts", "--nvm=1", "--nrouters=0"]);
    workspace.ok(&["wait"]);
    assert_eq!(
        workspace.ok(&["rsh", "1", "cat /etc/first; touch /written; hostname"]),
        "first\nvm-001\n"
    );
    workspace.ok(&["stop"]);
    assert_eq!(
        std::fs::metadata(&image).unwrap().modified().unwrap(),
        before,
        "nodes write elsewhere"
    );
    drop(cluster);

    // One that is: it is told to mount the image, which this one's initramfs does by another word.
    for (variable, name) in [("__kbin", "vmlinuz"), ("__initrd", "initramfs")] {
        std::fs::copy(file(name), file(&format!("my-{name}"))).unwrap();
        workspace.set(variable, file(&format!("my-{name}")));
    }
    let cluster = workspace.cluster();
    workspace.ok(&["starts", "--nvm=1", "--nrouters=0", "--append=xc.root=vda"]);
    workspace.ok(&["wait"]);
    let line = workspace.ok(&["rsh", "1", "cat /etc/first /proc/cmdline"]);
    assert!(line.starts_with("first\n") && line.contains(" root=/dev/vda rw init=/init"), "{line}");
    drop(cluster);
}
