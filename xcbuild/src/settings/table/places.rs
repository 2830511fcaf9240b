//! Where things are on disk.

use std::path::PathBuf;

use super::START;
use crate::settings::definition::{Definition, Kind, settings};

/// The verbs that write the base image, or a disk.
const IMAGE: &[&str] = &["mkimage", "ximage", "mkcdrom"];

const fn path(variable: &'static str, defaults: &'static [&'static str]) -> Definition {
    Definition::new(variable, Kind::Path).defaults(defaults)
}

settings! {
    /// Where things are on disk.
    pub(crate) struct Places {
        /// The user's files, the lock file of packages among them
        workspace: PathBuf = path("XCLUSTER_WORKSPACE", &["$HOME/xcluster"]).env();
        /// Finished images
        home: PathBuf = path("XCLUSTER_HOME", &["$XCLUSTER_WORKSPACE/xcluster"]).env();
        /// What may go at any time
        tmp: PathBuf = path("XCLUSTER_TMP", &["$XCLUSTER_HOME/tmp"]).env();
        /// The cache
        store: PathBuf =
            path("XCBUILD_STORE", &["$XDG_CACHE_HOME/xcbuild", "$HOME/.cache/xcbuild"]);
        /// Where run directories of clusters are
        run: PathBuf = path("XCBUILD_RUN", &["$XDG_RUNTIME_DIR/xcbuild", "/tmp/xcbuild-$UID"]);
        /// Where overlays are looked for, before the built-in ones
        overlays: Vec<PathBuf> = Definition::new("XCLUSTER_OVLPATH", Kind::Paths)
            .origin("the built-in overlays").env();
        /// Where overlays find archives
        archive: PathBuf = path("ARCHIVE", &["$HOME/Downloads"]).env();
        /// The ISO that `mkcdrom` makes and nodes get
        cdrom: PathBuf = path("__cdrom", &["$XCLUSTER_TMP/cdrom.iso"]).env()
            .option("cdrom", "FILE").verbs(&[START, &["mkcdrom"]]);
        /// The base image
        image: PathBuf = path("__image", &["$XCLUSTER_HOME/hd.img"]).env()
            .option("image", "FILE").verbs(&[START, IMAGE]);
        /// The kernel
        kernel: PathBuf = path("__kbin", &["$XCLUSTER_HOME/vmlinuz"]).env()
            .option("kbin", "FILE").verbs(&[START]);
        /// The initramfs that goes with the base image
        initramfs: PathBuf = path("__initrd", &["$XCLUSTER_HOME/initramfs"]);
        /// Where `cache` puts overlays that are built by hand
        cached: PathBuf = path("__cached", &["$XCLUSTER_WORKSPACE/cache"]).env()
            .option("cached", "DIR");
        /// A list of paths that the base image has, which are not copied
        base_libraries: PathBuf = path("__base_libs", &["$XCLUSTER_HOME/base-libs.txt"]).env()
            .option("base-libs", "FILE").verbs(&[&["install_prog", "cplib"]]);
        /// The dynamic loader that `cploader` copies
        loader: PathBuf = path("__loader", &["/lib64/ld-linux-x86-64.so.2"]).env()
            .option("loader", "FILE");
    }
}

impl Places {
    /// The base image's kernel, also where the user has set another.
    pub(crate) fn own_kernel(&self) -> PathBuf {
        self.home.join("vmlinuz")
    }

    /// The base image's list of paths, also where the user has set another.
    pub(crate) fn own_base_libraries(&self) -> PathBuf {
        self.home.join("base-libs.txt")
    }

    /// The lock file that pins the Debian packages.
    pub(crate) fn package_lock(&self) -> PathBuf {
        self.workspace.join("xcbuild.lock")
    }
}
