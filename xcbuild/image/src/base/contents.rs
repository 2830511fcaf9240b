//! What Debian packages nodes are made of.
//!
//! Three sets, since they are used for different things, and two of them conflict: the root tree
//! has the dynamic busybox, whose shell finds the real tools first; the static one, whose shell
//! takes its own applets before any program, is for the initramfs and for the few applets that the
//! other lacks (telnetd, su, crond).

/// The set whose packages make the root tree.
pub(super) const ROOT: &[&str] = &[
    "busybox",
    "dropbear-bin",
    "iproute2",
    "jq",
    "kmod",
    "libc-bin",
    "ncurses-base",
    "netbase",
    // scp by the old protocol is a program of the node.
    "openssh-client",
    "openssh-sftp-server",
    "strace",
    "tcpdump",
];

/// Packages of which only programs are taken that neither those above nor busybox have, with the
/// libraries that they need. Where busybox has a program of the same name it stays: scripts on nodes
/// rely on its options and on what it writes (`ps` shows all processes).
///
/// They don't count as installed: an overlay that wants one of them brings it whole.
pub(super) const TOOLS: &[&str] = &[
    // Nodes set extended attributes by it, which no ISO holds.
    "attr",
    "bsdutils",
    "chrony",
    "coreutils",
    "dhcpcd-base",
    "lsof",
    "openbsd-inetd",
    "pciutils",
    "procps",
    "psmisc",
    "tree",
    "util-linux",
];

/// What those depend on for being configured, besides [`WITHOUT`].
pub(super) const WITHOUT_FOR_TOOLS: &[&str] =
    &["sysvinit-utils", "tcpd", "tzdata", "update-inetd", "util-linux-extra"];

/// The set that gives the kernel.
pub(super) const KERNEL: &[&str] = &["linux-image-cloud-amd64"];

/// The set for the initramfs.
pub(super) const INITRAMFS: &[&str] = &["busybox-static"];

/// What those packages depend on for being installed and configured, which doesn't happen here, or
/// what the skeleton and busybox stand for.
pub(super) const WITHOUT: &[&str] = &[
    "adduser",
    "coreutils",
    "debconf",
    "debconf-2.0",
    "dpkg",
    "init-system-helpers",
    "initramfs-tools",
    "libpam-modules",
    "libpam-runtime",
    "linux-base",
    "lsb-base",
    "passwd",
    "perl-base",
    "ucf",
    "udev",
];

/// The modules that the initramfs loads: the disks, the ISOs, the stack, the port to the host, and
/// what a node needs before it has a name (its network cards, randomness).
pub(super) const BOOT_MODULES: &[&str] =
    &["virtio_pci", "virtio_blk", "virtio_rng", "virtio_console", "virtio_net", "isofs", "overlay"];

/// The modules that the initramfs loads for a disk that nodes write to.
pub(super) const DISK_MODULES: &[&str] = &["ext4"];

/// Directories of packages that a root tree has no use for: kernels are started from outside.
pub(super) const LEFT_OUT: &[&str] = &["boot", "etc/kernel", "usr/lib/udev"];

/// A list as the package solver takes it.
pub(super) fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{INITRAMFS, KERNEL, ROOT, WITHOUT};

    #[test]
    fn lists_are_sorted_and_apart() {
        assert!(ROOT.is_sorted() && WITHOUT.is_sorted());
        let wanted =
            |name: &&&str| ROOT.contains(name) || KERNEL.contains(name) || INITRAMFS.contains(name);
        assert_eq!(WITHOUT.iter().find(wanted), None);
    }
}
