//! From a node to the command line of its qemu. Pure: nothing is looked up or made.
//!
//! Every device is named, none comes by qemu's defaults or the user's configuration:
//!
//! | device | for |
//! |---|---|
//! | virtio-blk `base`, `cdrom` | the ISOs, read-only, so that the host caches them once for all nodes; a disk of the user's with what the node writes thrown away at its end |
//! | virtio-net, one per network | without the iPXE ROM, which costs start-up time |
//! | virtio-rng | a kernel without entropy hangs programs that want random bytes |
//! | serial port | the console: a unix socket, and a log of all that was ever written |
//! | virtio port `org.xcbuild.agent` | the node's words to us, a line each, straight into a file |
//! | QMP monitor | control, on a unix socket |
//!
//! The agent's port is a file and not a socket: a file is always open, so a node never blocks on
//! saying that it is ready while nobody listens, and any later xcbuild reads what was said.
//!
//! Values are put into `name=value,…` options with commas doubled, as qemu wants them.
//!
//! Reference: `qemu(1)`; unix(7) for the length of a socket's path.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::port::{Port, netdev_id};
use xc_topology::Node;

/// Longest path of a unix socket, less the terminating zero.
const SOCKET_PATH_MAX: usize = 107;

/// How the option of the control socket begins.
const CONTROL: &str = "socket,id=qmp,path=";

/// Name of the virtio port on which the node speaks.
pub const AGENT_PORT: &str = "org.xcbuild.agent";

/// Why a node can't be given to qemu.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A path that no option can carry.
    #[error("the path `{}` is not UTF-8; move the file", .0.display())]
    NotUtf8(PathBuf),
    /// A run directory too deep for unix sockets.
    #[error(
        "the path `{}` is longer than the {SOCKET_PATH_MAX} bytes that a unix socket's may have; \
         choose a shorter run directory (XDG_RUNTIME_DIR)", .0.display()
    )]
    SocketTooLong(PathBuf),
}

/// What executes the node's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// The processor, by the kernel's KVM.
    Kvm,
    /// qemu's own translation: works everywhere, some ten times slower.
    Tcg,
}

/// The machine that every node of a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The qemu program, a name or a path.
    pub program: String,
    /// The machine type, `pc`.
    pub kind: String,
    /// What executes it.
    pub accel: Accel,
    /// Whether the host has fewer cores than its nodes have processors. A translated node then runs
    /// its processors in turns on one thread: side by side they would wait for each other's locks
    /// on cores that other nodes need (measured: a quarter less time to boot).
    pub crowded: bool,
    /// More options of the user's (`--kvm_opt`), already in words.
    pub options: Vec<String>,
}

/// What a node boots from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The kernel; without one the node boots from its first disk.
    pub kernel: Option<PathBuf>,
    /// The initramfs, where the kernel needs one.
    pub initrd: Option<PathBuf>,
    /// The disks in the order in which the node sees them: the base image, the overlays.
    pub disks: Vec<Disk>,
}

/// A disk of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its serial number, by which the node knows it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What qemu calls the file's format: `raw`, `qcow2`.
    pub format: String,
    /// Whether the node may write; what it writes goes with its qemu. Otherwise it may not.
    pub scratch: bool,
}

impl Disk {
    /// An ISO, which nobody writes to.
    pub fn iso(name: &str, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into(), format: "raw".into(), scratch: false }
    }
}

/// Where a node's sockets and logs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The serial console's socket.
    pub console: PathBuf,
    /// All that was written to the console.
    pub console_log: PathBuf,
    /// The file that holds what the node said on its agent port.
    pub agent_log: PathBuf,
    /// The control socket.
    pub qmp: PathBuf,
}

/// The words of the command that runs a node, the program first. `ports` are those of the node's
/// interfaces, in order.
///
/// # Errors
/// [`CommandError`] when a path can't be put into an option.
pub fn command(
    node: &Node,
    machine: &Machine,
    boot: &Boot,
    kernel_line: &str,
    ports: &[Port],
    paths: &Paths,
) -> Result<Vec<String>, CommandError> {
    let mut words = Words(vec![machine.program.clone()]);
    words.machine(node, machine);
    words.boot(boot, kernel_line)?;
    for (i, (interface, port)) in node.interfaces.iter().zip(ports).enumerate() {
        let (netdev, queues) = match port {
            Port::Netdev { netdev, queues, .. } => (netdev, *queues),
            Port::Options(options) => {
                words.0.extend(options.iter().cloned());
                continue;
            }
        };
        words.option("-netdev", netdev);
        let (id, mac) = (netdev_id(i), interface.mac);
        // An interrupt for each queue of each direction, one for changes, one for control.
        let queues = match queues {
            2.. => format!(",mq=on,vectors={}", 2 * queues + 2),
            _ => String::new(),
        };
        let device = format!("virtio-net-pci,netdev={id},mac={mac},romfile={queues}");
        words.option("-device", &device);
    }
    words.ports(paths)?;
    words.0.extend(machine.options.iter().cloned());
    Ok(words.0)
}

/// The word in a node's command line that no other process has: by it a process is found whose
/// number was not recorded, see [`recognise`].
fn control(paths: &Paths) -> Result<String, CommandError> {
    Ok(format!("{CONTROL}{},server=on,wait=off", socket(&paths.qmp)?))
}

/// The control socket's path if `word` is the word of a command line that names it.
pub fn recognise(word: &[u8]) -> Option<PathBuf> {
    let rest = std::str::from_utf8(word).ok()?.strip_prefix(CONTROL)?;
    let path = rest.strip_suffix(",server=on,wait=off")?;
    Some(path.replace(",,", ",").into())
}

/// A command line that grows.
struct Words(Vec<String>);

impl Words {
    fn option(&mut self, name: &str, value: &str) {
        self.0.extend([name.to_owned(), value.to_owned()]);
    }

    fn machine(&mut self, node: &Node, machine: &Machine) {
        self.option("-name", &format!("guest={}", node.id));
        self.option("-M", &machine.kind);
        // Translated code is held to 64 MiB: without a limit a node takes 60 MB more, and is not faster.
        let (accel, cpu) = match (machine.accel, machine.crowded) {
            (Accel::Kvm, _) => ("kvm", "host"),
            (Accel::Tcg, true) => ("tcg,thread=single,tb-size=64", "max"),
            (Accel::Tcg, false) => ("tcg,thread=multi,tb-size=64", "max"),
        };
        self.option("-accel", accel);
        self.option("-cpu", cpu);
        self.option("-smp", &node.cpus.to_string());
        self.option("-m", &node.memory_mib.to_string());
        self.0.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
        self.option("-display", "none");
        let sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
        self.option("-sandbox", sandbox);
        self.option("-device", "virtio-rng-pci");
    }

    fn boot(&mut self, boot: &Boot, kernel_line: &str) -> Result<(), CommandError> {
        if let Some(kernel) = &boot.kernel {
            self.option("-kernel", text(kernel)?);
            self.option("-append", kernel_line);
        }
        if let Some(initrd) = &boot.initrd {
            self.option("-initrd", text(initrd)?);
        }
        for Disk { name, path, format, scratch } in &boot.disks {
            let file = value(path)?;
            if *scratch {
                let drive = format!("if=none,id={name},format={format},snapshot=on,file={file}");
                self.option("-drive", &drive);
            } else {
                let node = format!("driver={format},read-only=on,file.driver=file");
                let node = format!("node-name={name},{node},file.locking=auto");
                self.option("-blockdev", &format!("{node},file.filename={file}"));
            }
            self.option("-device", &format!("virtio-blk-pci,drive={name},serial={name}"));
        }
        Ok(())
    }

    fn ports(&mut self, paths: &Paths) -> Result<(), CommandError> {
        let (console, log) = (socket(&paths.console)?, value(&paths.console_log)?);
        let console = format!("id=console,path={console},server=on,wait=off,logfile={log}");
        self.option("-chardev", &format!("socket,{console}"));
        self.option("-serial", "chardev:console");
        self.option("-chardev", &format!("file,id=agent,path={}", value(&paths.agent_log)?));
        self.option("-device", "virtio-serial-pci");
        self.option("-device", &format!("virtserialport,chardev=agent,name={AGENT_PORT}"));
        self.option("-chardev", &control(paths)?);
        self.option("-mon", "chardev=qmp,mode=control");
        Ok(())
    }
}

/// A path as a word of its own.
fn text(path: &Path) -> Result<&str, CommandError> {
    path.to_str().ok_or_else(|| CommandError::NotUtf8(path.into()))
}

/// A path as a value within an option.
fn value(path: &Path) -> Result<String, CommandError> {
    Ok(text(path)?.replace(',', ",,"))
}

/// The path of a socket as a value within an option.
fn socket(path: &Path) -> Result<String, CommandError> {
    if path.as_os_str().len() > SOCKET_PATH_MAX {
        return Err(CommandError::SocketTooLong(path.into()));
    }
    value(path)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    use insta::assert_snapshot;

    use super::{Accel, Boot, CommandError, Disk, Machine, Paths, command, control, recognise};
    use crate::kernel_line::{Common, kernel_line};
    use crate::port::{Carrier, Port, netdev_id};
    use xc_net::user::UserNet;
    use xc_topology::address::Prefix;
    use xc_topology::fixture::node;
    use xc_topology::{Counts, Node};

    fn paths() -> Paths {
        let path = |name: &str| PathBuf::from(format!("/run/xc/default/201.{name}"));
        Paths {
            console: path("console"),
            console_log: "/w/log, old/201.log".into(),
            agent_log: path("agent"),
            qmp: path("qmp"),
        }
    }

    fn words(node: &Node, accel: Accel, boot: &Boot) -> Result<Vec<String>, CommandError> {
        let program = "qemu-system-x86_64".into();
        let options = vec!["-cpu".into(), "max,la57=off".into()];
        let machine = Machine { program, kind: "pc".into(), accel, crowded: true, options };
        let prefix = Prefix::default();
        let dns_port = 10_053;
        let append = "quiet".into();
        let line = kernel_line(
            node,
            accel,
            &Common {
                counts: Counts { vm: 4, routers: 2, testers: 1 },
                prefix: prefix.clone(),
                dns_port,
                key: None,
                append,
            },
        );
        let netdev = |(i, interface): (usize, &xc_topology::Interface)| {
            let id = netdev_id(i);
            let netdev = UserNet::default().netdev(&id, node.id, interface.network, &prefix);
            Port::Netdev { netdev, queues: 1, carrier: Carrier::UserStack }
        };
        let netdevs: Vec<_> = node.interfaces.iter().enumerate().map(netdev).collect();
        command(node, &machine, boot, &line, &netdevs, &paths())
    }

    fn boot() -> Boot {
        let disk = |name: &str, path: &str| Disk::iso(name, path);
        Boot {
            kernel: Some("/w/bzImage".into()),
            initrd: Some("/w/initrd".into()),
            disks: vec![disk("base", "/w/base.iso"), disk("cdrom", "/w/a,b/cdrom.iso")],
        }
    }

    /// One option with its value a line, as it is read.
    fn lines(words: &[String]) -> String {
        words.join(" ").replace(" -", "\n-")
    }

    #[test]
    fn router_of_the_default_topology() {
        let words = words(&node(201, &[0, 1, 2]), Accel::Tcg, &boot()).unwrap();
        assert_snapshot!(lines(&words), @r#"
        qemu-system-x86_64
        -name guest=vm-201
        -M pc
        -accel tcg,thread=single,tb-size=64
        -cpu max
        -smp 2
        -m 128
        -nodefaults
        -no-user-config
        -display none
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -device virtio-rng-pci
        -kernel /w/bzImage
        -append console=ttyS0 quiet cryptomgr.notests no_timer_check mtu1=1400 xc.nvm=4 xc.nrouters=2 xc.ntesters=1 xc.prefix=1000::1 quiet
        -initrd /w/initrd
        -blockdev node-name=base,driver=raw,read-only=on,file.driver=file,file.locking=auto,file.filename=/w/base.iso
        -device virtio-blk-pci,drive=base,serial=base
        -blockdev node-name=cdrom,driver=raw,read-only=on,file.driver=file,file.locking=auto,file.filename=/w/a,,b/cdrom.iso
        -device virtio-blk-pci,drive=cdrom,serial=cdrom
        -netdev user,id=net0,net=192.168.0.201/24,host=192.168.0.250,dns=192.168.0.251,ipv6-net=1000::1:c0a8:c9/120,ipv6-host=1000::1:c0a8:fa,ipv6-dns=1000::1:c0a8:fb,hostfwd=tcp:127.0.0.1:12201-192.168.0.201:23,hostfwd=tcp:127.0.0.1:12501-192.168.0.201:22
        -device virtio-net-pci,netdev=net0,mac=00:00:00:01:00:c9,romfile=
        -netdev socket,id=net1,mcast=224.0.0.121:27030,localaddr=127.0.0.1
        -device virtio-net-pci,netdev=net1,mac=00:00:00:01:01:c9,romfile=
        -netdev socket,id=net2,mcast=224.0.0.122:27030,localaddr=127.0.0.1
        -device virtio-net-pci,netdev=net2,mac=00:00:00:01:02:c9,romfile=
        -chardev socket,id=console,path=/run/xc/default/201.console,server=on,wait=off,logfile=/w/log,, old/201.log
        -serial chardev:console
        -chardev file,id=agent,path=/run/xc/default/201.agent
        -device virtio-serial-pci
        -device virtserialport,chardev=agent,name=org.xcbuild.agent
        -chardev socket,id=qmp,path=/run/xc/default/201.qmp,server=on,wait=off
        -mon chardev=qmp,mode=control
        -cpu max,la57=off
        "#);
    }

    #[test]
    fn kvm_without_initrd_and_disks() {
        let boot = Boot { initrd: None, disks: vec![], ..boot() };
        let words = words(&node(2, &[0]), Accel::Kvm, &boot).unwrap();
        assert_snapshot!(lines(&words), @r#"
        qemu-system-x86_64
        -name guest=vm-002
        -M pc
        -accel kvm
        -cpu host
        -smp 2
        -m 128
        -nodefaults
        -no-user-config
        -display none
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
        -device virtio-rng-pci
        -kernel /w/bzImage
        -append console=ttyS0 quiet xc.nvm=4 xc.nrouters=2 xc.ntesters=1 xc.prefix=1000::1 quiet
        -netdev user,id=net0,net=192.168.0.2/24,host=192.168.0.250,dns=192.168.0.251,ipv6-net=1000::1:c0a8:2/120,ipv6-host=1000::1:c0a8:fa,ipv6-dns=1000::1:c0a8:fb,hostfwd=tcp:127.0.0.1:12002-192.168.0.2:23,hostfwd=tcp:127.0.0.1:12302-192.168.0.2:22
        -device virtio-net-pci,netdev=net0,mac=00:00:00:01:00:02,romfile=
        -chardev socket,id=console,path=/run/xc/default/201.console,server=on,wait=off,logfile=/w/log,, old/201.log
        -serial chardev:console
        -chardev file,id=agent,path=/run/xc/default/201.agent
        -device virtio-serial-pci
        -device virtserialport,chardev=agent,name=org.xcbuild.agent
        -chardev socket,id=qmp,path=/run/xc/default/201.qmp,server=on,wait=off
        -mon chardev=qmp,mode=control
        -cpu max,la57=off
        "#);
    }

    #[test]
    fn control_socket_is_recognised_in_the_command() {
        let words = words(&node(201, &[0]), Accel::Tcg, &boot()).unwrap();
        let found: Vec<_> = words.iter().filter_map(|w| recognise(w.as_bytes())).collect();
        assert_eq!(found, [paths().qmp]);
    }

    #[test]
    fn paths_that_no_option_can_carry_are_refused() {
        let odd = PathBuf::from(OsStr::from_bytes(b"/w/\xff"));
        let boot = Boot { kernel: Some(odd.clone()), ..boot() };
        let error = words(&node(1, &[0]), Accel::Tcg, &boot).unwrap_err();
        assert_eq!(error, CommandError::NotUtf8(odd));
        let long = |n: usize| Paths { qmp: format!("/{}", "x".repeat(n - 1)).into(), ..paths() };
        assert!(control(&long(107)).is_ok());
        assert!(matches!(control(&long(108)), Err(CommandError::SocketTooLong(_))));
    }
}
