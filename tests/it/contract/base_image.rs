//! What overlays and their tests find in the base image: `hd.img`, its files, services and programs,
//! and what happens to the modules and libraries that overlays bring.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use xc_harness::Need;

use crate::common::need::QEMU;
use crate::common::{Workspace, tool};

/// The programs that the shell tool's base image has on PATH: busybox's applets, then the others.
const PROGRAMS: &str = "adduser addgroup arp arping ascii ash awk base32 basename bc blkid brctl \
    bunzip2 bzcat bzip2 cat chgrp chmod chown cmp cp cpio crc32 cut date depmod df diff dirname dmesg \
    dnsd du echo egrep env expr false find flock free getopt getty grep gunzip gzip head hostname \
    httpd id ifconfig inetd init insmod install ionice ip kill killall klogd last less ln logger \
    login losetup ls lsmod lsof lspci lzcat makedevs mdev mkdir mkfifo mknod mktemp modinfo modprobe \
    more mount mountpoint mv nc netstat nice nohup nologin nproc nsenter nslookup ntpd od pgrep ping \
    ping6 pkill poweroff printf ps pstree pwd readlink reboot renice rm rmdir rmmod runlevel sed \
    seedrng seq shuf sleep sort split stat strings stty su sync syslogd tail tar taskset tee telnet \
    telnetd test time timeout top touch tr traceroute traceroute6 tree true truncate ts tsort tty \
    udhcpc udhcpc6 udhcpd umount uname uniq unshare unxz uptime users usleep vconfig vi w wall watch \
    wc wget which who whoami xargs xzcat yes zcat \
    dropbear scp dbclient ldconfig tcpdump strace jq";

/// One node, by the contract's ways in.
const ONE: &[&str] = &["starts", "--nvm=1", "--nrouters=0"];

/// Each of these says that on a node.
const SAYS: &[(&str, &str)] = &[
    (". /etc/os-release; echo $NAME $ID", "Xcluster xcluster\n"),
    ("cat /etc/TZ", "CET-1CEST-2,M3.5.0,M10.5.0/3\n"),
    (". /etc/profile; echo $TZ", "CET-1CEST-2,M3.5.0,M10.5.0/3\n"),
    (". /etc/profile; alias ssh", "ssh='dbclient -y -y'\n"),
    (
        "ls /etc/issue /etc/sysctl.conf /etc/fstab /etc/inetd.conf /etc/shells /etc/protocols \
      /etc/services /etc/nsswitch.conf /initialboot /usr/libexec/sftp-server | wc -l",
        "10\n",
    ),
    ("wget -qO- http://192.168.0.1/cgi-bin/info | head -1", "vm-001\n"),
    ("wget -qO- 'http://[1000::1:192.168.0.1]/cgi-bin/info' | head -1", "vm-001\n"),
    ("grep -c '^192.168.0.250 host$' /etc/hosts", "1\n"),
    ("grep -c '^192.168.0.1 vm-001$' /etc/hosts", "1\n"),
    ("getent hosts ip6-host | tr -s ' '", "1000::1:c0a8:fa host ip6-host\n"),
    ("getent ahostsv6 ip6-vm-001 | head -1 | cut -d' ' -f1", "1000::1:c0a8:1\n"),
    ("logger hello from $(hostname); logread | grep -c 'vm-001.*hello from vm-001'", "1\n"),
    ("logread | grep -c 'Linux version'", "1\n"),
    ("mountpoint -q /dev/mqueue && echo mounted", "mounted\n"),
    ("echo in | cat /dev/stdin >/dev/stdout; echo err >/dev/stderr", "in\n"),
    (
        "ulimit -c unlimited; sh -c 'kill -SEGV $$'; ls /var/log/dumps | grep -c '^core.sh\\.'",
        "1\n",
    ),
    ("pgrep mdev >/dev/null && echo hotplug", "hotplug\n"),
    (
        "adduser -D me && addgroup us && addgroup me us && id me",
        "uid=1000(me) gid=1000(me) groups=1000(me),1001(us)\n",
    ),
    ("su - me -c 'whoami; pwd'", "me\n/home/me\n"),
    (
        "echo 'here.example 192.0.2.9' >/etc/dnsd.conf; dnsd -d -p 5353 -i 127.0.0.1 >/dev/null; \
      nslookup -port=5353 here.example 127.0.0.1 | grep -c 192.0.2.9",
        "1\n",
    ),
    ("makedevs /dev/x c 1 3 0 1; stat -c %F /dev/x1", "character special file\n"),
    ("flock /run/x install -m 700 /etc/TZ /tmp/x; stat -c %a /tmp/x", "700\n"),
    (
        "for p in lsof lspci pstree; do $p >/tmp/out 2>&1 || echo $p; test -s /tmp/out || echo $p; done",
        "",
    ),
    ("ps | grep -c '[i]netd'", "1\n"),
];

#[test(needs = [QEMU], serial)]
fn nodes_have_the_files_services_and_programs_of_the_contract() {
    let mut workspace = Workspace::new();
    workspace.set("__access", "open");
    let cluster = workspace.cluster();
    workspace.ok(&["mkimage"]);
    workspace.ok(&["mkcdrom", "env"]);
    workspace.ok(ONE);
    let ask = format!("for p in {PROGRAMS}; do command -v $p >/dev/null || echo $p; done");
    assert_eq!(workspace.ok(&["rsh", "1", &ask]), "", "programs are missing");
    for (command, said) in SAYS {
        assert_eq!(workspace.ok(&["rsh", "1", command]), *said, "{command}");
    }
    drop(cluster);
}

/// An overlay in the style of the public ones: a module, a library by an `ld.so.conf` of its own and a
/// program that needs it, `init.hook`, a setting of the kernel, and a page.
fn public_overlay(place: &Path) {
    let overlay = place.join("public");
    std::fs::create_dir_all(overlay.join("default/root/www")).unwrap();
    std::fs::create_dir_all(overlay.join("default/etc/init.d")).unwrap();
    let write = |path: &str, text: &str| std::fs::write(overlay.join(path), text).unwrap();
    write("default/root/www/page.html", "a page\n");
    write("default/etc/init.d/init.hook", "echo yes >/run/hook\n");
    write("default/etc/sysctl.conf", "# ours\nnet.ipv4.ip_default_ttl = 77\n");
    write("answer.c", "int answer(void) { return 42; }\n");
    write(
        "main.c",
        "#include <stdio.h>\nint answer(void);\nint main(void) { printf(\"%d\\n\", answer()); }\n",
    );
    write(
        "tar",
        "#! /bin/sh\nset -e\ncd \"$(dirname \"$(readlink -f \"$0\")\")\"\nt=$(mktemp -d)\n\
         mkdir -p $t/opt/lib $t/bin $t/etc/ld.so.conf.d $t/lib/modules/$xcluster_MODULES_OF/extra\n\
         gcc -shared -fPIC -Wl,-soname,libanswer.so.1 -o $t/opt/lib/libanswer.so.1.0 answer.c\n\
         gcc -o $t/bin/answer main.c $t/opt/lib/libanswer.so.1.0\n\
         echo /opt/lib >$t/etc/ld.so.conf.d/answer.conf\n\
         cp $ARCHIVE/dummy.ko $t/lib/modules/$xcluster_MODULES_OF/extra/public.ko\n\
         cp -r default/. $t/\ntar -C $t -cf \"$1\" .\nrm -r $t\n",
    );
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(overlay.join("tar"), executable).unwrap();
}

/// A module of the base image's own kernel, taken out of it; the kernel's version.
fn module_of(image: &Path, archive: &Path) -> String {
    let image = image.to_str().unwrap();
    let listed = tool::run("bsdtar", &["-tf", image]);
    let path = listed.lines().find(|line| line.ends_with("/drivers/net/dummy.ko")).unwrap();
    std::fs::create_dir_all(archive).unwrap();
    let place = archive.to_str().unwrap();
    tool::run("bsdtar", &["-C", place, "-xf", image, path]);
    std::fs::rename(archive.join(path), archive.join("dummy.ko")).unwrap();
    path.split('/').nth(3).unwrap().to_owned()
}

#[test(needs = [QEMU, Need::Program("gcc"), Need::Program("bsdtar")], serial)]
fn modules_libraries_hooks_and_pages_of_overlays_work_in_both_layouts() {
    let mut workspace = Workspace::new();
    let home = workspace.home().to_owned();
    let image = PathBuf::from(workspace.ok(&["mkimage"]).trim());
    assert_eq!(image.file_name().unwrap(), "hd.img", "the name that test scripts set");
    let version = module_of(&image, &home.join("archive"));
    public_overlay(&home.join("ovl"));
    workspace.set("XCLUSTER_OVLPATH", home.join("ovl").to_str().unwrap());
    workspace.set("ARCHIVE", home.join("archive").to_str().unwrap());
    workspace.set("xcluster_MODULES_OF", version.as_str());
    let cluster = workspace.cluster();
    for layout in ["--layout=tree", "--layout=tar"] {
        workspace.ok(&["mkcdrom", layout, "public"]);
        workspace.ok(ONE);
        // In the tree layout the lists were made at build, and so are as old as all files.
        let made = if layout == "--layout=tree" { "1980" } else { "20" };
        let when = workspace.ok(&["rsh", "1", "stat -c %y /etc/ld.so.cache"]);
        assert!(when.starts_with(made), "{layout}: {when}");
        for (command, said) in [
            ("answer", "42\n"),
            ("modprobe public && grep -c ^dummy /proc/modules", "1\n"),
            ("cat /run/hook /proc/sys/net/ipv4/ip_default_ttl", "yes\n77\n"),
            ("wget -qO- http://127.0.0.1/page.html", "a page\n"),
        ] {
            assert_eq!(workspace.ok(&["rsh", "1", command]), said, "{layout}: {command}");
        }
    }
    a_copy_is_extended(&workspace, &image);
    drop(cluster);
}

/// `cp hd.img hd-x.img`, and `ximage` on the copy: the usual way to a variant. Lists that a cdrom has
/// for the image are not taken for those of the variant.
fn a_copy_is_extended(workspace: &Workspace, image: &Path) {
    let copy = image.with_file_name("hd-x.img");
    std::fs::copy(image, &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o644)).unwrap();
    let option = format!("--image={}", copy.display());
    workspace.ok(&["ximage", &option, "public"]);
    workspace.ok(&["mkcdrom", "env"]);
    workspace.ok(&["starts", &option, "--nvm=1", "--nrouters=0"]);
    let said =
        workspace.ok(&["rsh", "1", "answer; modprobe public && grep -c ^dummy /proc/modules"]);
    assert_eq!(said, "42\n1\n");
    let old = image.with_file_name("base.iso");
    assert_eq!(std::fs::read_link(&old).unwrap(), Path::new("hd.img"), "the image's old name");
    assert_eq!(std::fs::canonicalize(old).unwrap(), std::fs::canonicalize(image).unwrap());
}
