//! Settings of one verb, or of a few. They are read when that verb runs.

use std::path::PathBuf;

use crate::settings::definition::{Definition, Kind, settings};
use xc_image::cdrom::Layout;

settings! {
    /// What the ISO of overlays has besides them.
    pub(crate) struct CdromSettings {
        /// The ISO's volume id
        label: Option<String> = Definition::new("__label", Kind::Text)
            .option("label", "ID").verbs(&[&["mkcdrom"]]).origin("xcluster, or cidata with --cidata");
        /// A file that becomes `script` in the ISO, which nodes run before their services; for
        /// `ximage` one that is run in the image, as root there, when the overlays are in it
        script: Option<PathBuf> = Definition::new("__script", Kind::Path)
            .option("script", "FILE").verbs(&[&["mkcdrom", "ximage"]]);
        /// A cloud-init directory whose content goes into the ISO
        cidata: Option<PathBuf> = Definition::new("__cidata", Kind::Path)
            .option("cidata", "DIR").verbs(&[&["mkcdrom"]]);
        /// How overlays lie in the ISO: tree, stacked by nodes of our base image, or tar, which any
        /// unpacks
        layout: Option<Layout> = Definition::new("__layout", Kind::Choice(&["tree", "tar"]))
            .option("layout", "LAYOUT").verbs(&[&["mkcdrom"]])
            .origin("tree, or tar where __image is an image of your own");
    }
}

settings! {
    /// What `mkimage` makes.
    pub(crate) struct ImageSettings {
        /// iso, raw or qcow2
        format: Option<String> = Definition::new("__format", Kind::Choice(&["iso", "raw", "qcow2"]))
            .option("format", "FORMAT").verbs(&[&["mkimage"]]).own()
            .origin("iso, or raw with --size or --bootable");
        /// How large the disk is, in bytes, or with K, M, G or T of 1024; what the image does not take
        /// is room that nodes write to
        size: Option<u64> = Definition::new("__size", Kind::Bytes(1024))
            .option("size", "BYTES").verbs(&[&["mkimage"]]).own();
        /// Make it boot by itself, by BIOS and UEFI
        bootable: bool = Definition::new("__bootable", Kind::Flag)
            .option("bootable", "").verbs(&[&["mkimage"]]);
    }
}

settings! {
    /// What `cache` does with overlays.
    pub(crate) struct CacheSettings {
        /// List the overlays that were built by hand
        list: bool = Definition::new("__list", Kind::Flag).option("list", "").verbs(&[&["cache"]]);
        /// Remove the overlays that were built by hand: these, or all
        clear: bool = Definition::new("__clear", Kind::Flag).option("clear", "").verbs(&[&["cache"]]);
    }
}

settings! {
    /// What copies programs of the host.
    pub(crate) struct InstallSettings {
        /// The root of the tree to copy into
        dest: Option<PathBuf> = Definition::new("__dest", Kind::Path)
            .option("dest", "DIR").verbs(&[&["install_prog", "cplib", "cploader"]]).own();
    }
}

settings! {
    /// Which machine `inject` unpacks overlays on, and how it is entered.
    pub(crate) struct InjectSettings {
        /// The machine, as in root@192.168.0.1 or ssh://root@127.0.0.1:12301
        address: Option<String> = Definition::new("__addr", Kind::Text)
            .option("addr", "ADDRESS").verbs(&[&["inject"]]).own();
        /// The ssh key to use
        key: Option<PathBuf> = Definition::new("__key", Kind::Path)
            .option("key", "FILE").verbs(&[&["inject"]]).own();
        /// The command by which the user of the address becomes root there
        sudo: Option<String> = Definition::new("__sudo", Kind::Text)
            .option("sudo", "COMMAND").bare("sudo").verbs(&[&["inject"]]).own();
    }
}

settings! {
    /// How `rsh` runs a command.
    pub(crate) struct RshSettings {
        /// Leave it running and return at once
        background: bool = Definition::new("__bg", Kind::Flag).option("bg", "").verbs(&[&["rsh"]]);
    }
}

settings! {
    /// The networks between namespaces of `nsadd` and the host.
    pub(crate) struct NamespaceSettings {
        /// IPv4 network of which each namespace takes four addresses
        ipv4_base: String = Definition::new("__ipv4_base", Kind::Text)
            .defaults(&["172.30.0.0/24"]).env().option("ipv4-base", "NETWORK").verbs(&[&["nsadd"]]);
        /// IPv6 addresses are this and the IPv4 address
        ipv6_prefix: String = Definition::new("__ipv6_prefix", Kind::Text)
            .defaults(&["fd00:1723::"]).env().option("ipv6-prefix", "PREFIX").verbs(&[&["nsadd"]]);
    }
}
