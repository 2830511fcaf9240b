//! Flags and environment become [`Settings`]; the only reader of the environment.
//!
//! Three steps. [`Variables`] is a copy of the environment; what the command line says is written
//! over it, an option `--nets-vm=0,1` as `__nets_vm`; [`Settings::resolve`] turns the names and
//! texts into typed values with their defaults. So a setting means the same wherever it comes from,
//! and overlay scripts get all of them by the names of the contract.

mod contract;
mod environment;
mod nodes;
mod number;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use environment::{of_process, set_options};
pub use number::bytes;
pub use xc_overlay::Variables;

use xc_cluster::{ClusterName, NameError};
use xc_topology::address::Prefix;

/// The name of the base image's kernel in `XCLUSTER_HOME`.
const KERNEL: &str = "vmlinuz";

/// Why a setting can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A variable that has to be there is not.
    #[error("${0} is not set; set it, or set ${1}")]
    Missing(&'static str, &'static str),
    /// A value that is no such thing.
    #[error("{name}={value}: {expected}")]
    Bad {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: String,
    },
}

/// Where things are on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `XCLUSTER_WORKSPACE`: the user's files, the lock file among them.
    pub workspace: PathBuf,
    /// `XCLUSTER_HOME`: finished images.
    pub home: PathBuf,
    /// `XCLUSTER_TMP`: what may go at any time.
    pub tmp: PathBuf,
    /// `XCBUILD_STORE`: the cache; `$XDG_CACHE_HOME/xcbuild` if unset.
    pub store: PathBuf,
    /// Where run directories are: `$XDG_RUNTIME_DIR/xcbuild`, or `/tmp/xcbuild-UID`.
    pub run: PathBuf,
    /// `XCLUSTER_OVLPATH`: where overlays are looked for, before the built-in ones.
    pub overlays: Vec<PathBuf>,
    /// `ARCHIVE`: where overlays find archives.
    pub archive: PathBuf,
    /// `__cdrom`: the ISO that `mkcdrom` makes and nodes get.
    pub cdrom: PathBuf,
    /// `__image`: the base image.
    pub image: PathBuf,
    /// `__kbin`: the kernel.
    pub kernel: PathBuf,
    /// `__initrd`: the initramfs that goes with the base image.
    pub initramfs: PathBuf,
}

impl Places {
    /// The base image's kernel, also where the user has set another.
    pub fn own_kernel(&self) -> PathBuf {
        self.home.join(KERNEL)
    }

    /// The lock file that pins the Debian packages.
    pub fn package_lock(&self) -> PathBuf {
        self.workspace.join("xcbuild.lock")
    }
}

/// How many nodes of each role to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// `__nvm`, if set.
    pub vms: Option<u8>,
    /// `__nrouters`, if set.
    pub routers: Option<u8>,
    /// `__ntesters`, if set.
    pub testers: Option<u8>,
}

/// What a cluster is started with. Values for single nodes are read from the [`Variables`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// How many nodes.
    pub counts: Counts,
    /// `__cluster`: the cluster's name, `default` unless set.
    pub name: ClusterName,
    /// `__machine`: qemu's machine type.
    pub machine: String,
    /// `__mem`: MiB of memory a node, if set.
    pub memory_mib: Option<u32>,
    /// `__smp`: CPUs a node, if set.
    pub cpus: Option<u8>,
    /// `__mtu`: MTU of all networks, if set.
    pub mtu: Option<u16>,
    /// `__append`: more for the kernel command line.
    pub append: String,
    /// `__kvm`: the qemu program.
    pub qemu: String,
    /// `__kvm_opt`: more options for qemu.
    pub qemu_options: String,
    /// `XCLUSTER_TELNET_BASE`: node N's telnet is at this port plus N.
    pub telnet_base: u16,
    /// `XCLUSTER_SSH_BASE`: node N's ssh is at this port plus N.
    pub ssh_base: u16,
    /// `XCLUSTER_K8S_PORT`: forwarded to port 8080 of node 1.
    pub kubernetes_port: u16,
    /// `XCLUSTER_MCAST_BASE`: network N is multicast group 224.0.0.(this plus N).
    pub multicast_base: u8,
    /// `XCLUSTER_DNS_PORT`: where the DNS proxy of the host listens.
    pub dns_port: u16,
    /// `__dns_upstream`: servers that the proxy asks, in place of those of /etc/resolv.conf.
    pub dns_upstream: Vec<String>,
    /// `__dns_spoof`: a hosts file whose names the proxy answers itself.
    pub dns_spoof: Option<PathBuf>,
    /// The IPv6 prefix, `PREFIX`.
    pub prefix: Prefix,
}

/// What overlays are built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSettings {
    /// `TOPOLOGY`, `xnet` unless set.
    pub topology: String,
    /// `SETUP`: the variants.
    pub setup: Vec<String>,
    /// `XOVLS`: overlays that are always added.
    pub always: Vec<String>,
    /// `__unpack_max`: the bytes that a compressed tar may become, with K, M or G.
    pub unpack_max: Option<u64>,
    /// `__script_timeout`: seconds until a script is ended that doesn't end by itself.
    pub script_timeout: Option<Duration>,
    /// `XCBUILD_TRACE=off`: scripts are run unwatched, and every time.
    pub untraced: bool,
}

/// All settings, typed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where things are.
    pub places: Places,
    /// What a cluster is started with.
    pub cluster: ClusterSettings,
    /// What overlays are built with.
    pub build: BuildSettings,
    /// The variables that all of it came from, for overlay scripts and single nodes.
    pub variables: Variables,
}

impl Settings {
    /// Gives every setting its value.
    ///
    /// # Errors
    /// [`SettingsError`], which names the variable.
    pub fn resolve(mut variables: Variables) -> Result<Self, SettingsError> {
        // Elsewhere it is where programs are installed, and no IPv6 prefix looks like that.
        if variables.get("PREFIX").is_some_and(|prefix| prefix.starts_with('/')) {
            variables.set("PREFIX", "");
        }
        Ok(Self {
            places: places(&variables)?,
            cluster: cluster(&variables)?,
            build: BuildSettings {
                topology: variables.or("TOPOLOGY", "xnet"),
                setup: words(&variables.or("SETUP", ""), |c| c == ','),
                always: words(&variables.or("XOVLS", ""), char::is_whitespace),
                unpack_max: number::size(&variables, "__unpack_max")?,
                script_timeout: number::optional(&variables, "__script_timeout", 1..=604_800)?
                    .map(|seconds: u32| Duration::from_secs(seconds.into())),
                untraced: variables.get("XCBUILD_TRACE") == Some("off"),
            },
            variables,
        })
    }

    /// What `env` prints: the contract's names with their values, in the contract's order.
    pub fn contract(&self) -> Vec<(&'static str, String)> {
        contract::variables(self)
    }
}

fn words(text: &str, separator: impl Fn(char) -> bool) -> Vec<String> {
    text.split(separator).filter(|w| !w.is_empty()).map(ToOwned::to_owned).collect()
}

fn places(v: &Variables) -> Result<Places, SettingsError> {
    let below_home = |name: &'static str, path: &str| match v.get("HOME") {
        Some(home) => Ok(Path::new(home).join(path)),
        None => Err(SettingsError::Missing("HOME", name)),
    };
    let path = |name: &str, default: PathBuf| v.get(name).map_or(default, PathBuf::from);
    let workspace = match v.get("XCLUSTER_WORKSPACE") {
        Some(set) => PathBuf::from(set),
        None => below_home("XCLUSTER_WORKSPACE", "xcluster")?,
    };
    let store = match (v.get("XCBUILD_STORE"), v.get("XDG_CACHE_HOME")) {
        (Some(store), _) => PathBuf::from(store),
        (None, Some(cache)) => Path::new(cache).join("xcbuild"),
        (None, None) => below_home("XCBUILD_STORE", ".cache/xcbuild")?,
    };
    let home = path("XCLUSTER_HOME", workspace.join("xcluster"));
    let tmp = path("XCLUSTER_TMP", home.join("tmp"));
    let run = match (v.get("XCBUILD_RUN"), v.get("XDG_RUNTIME_DIR")) {
        (Some(run), _) => PathBuf::from(run),
        (None, Some(runtime)) => Path::new(runtime).join("xcbuild"),
        (None, None) => {
            PathBuf::from(format!("/tmp/xcbuild-{}", rustix::process::getuid().as_raw()))
        }
    };
    Ok(Places {
        overlays: std::env::split_paths(&v.or("XCLUSTER_OVLPATH", ""))
            .filter(|p| !p.as_os_str().is_empty())
            .collect(),
        archive: match v.get("ARCHIVE") {
            Some(set) => PathBuf::from(set),
            None => below_home("ARCHIVE", "Downloads")?,
        },
        cdrom: path("__cdrom", tmp.join("cdrom.iso")),
        image: path("__image", home.join("base.iso")),
        kernel: path("__kbin", home.join(KERNEL)),
        initramfs: path("__initrd", home.join("initramfs")),
        workspace,
        home,
        tmp,
        store,
        run,
    })
}

fn cluster(v: &Variables) -> Result<ClusterSettings, SettingsError> {
    let prefix = v.or("PREFIX", Prefix::default().as_str());
    let prefix = prefix.parse().map_err(|e| SettingsError::Bad {
        name: "PREFIX".into(),
        value: prefix.clone(),
        expected: format!("{e}"),
    })?;
    Ok(ClusterSettings {
        counts: Counts {
            vms: number::optional(v, "__nvm", 0..=200)?,
            routers: number::optional(v, "__nrouters", 0..=20)?,
            testers: number::optional(v, "__ntesters", 0..=20)?,
        },
        name: cluster_name(v)?,
        machine: v.or("__machine", "pc"),
        memory_mib: number::optional(v, "__mem", 32..=1_048_576)?,
        cpus: number::optional(v, "__smp", 1..=255)?,
        // RFC 8200 section 5: IPv6 needs links of 1280 at least.
        mtu: number::optional(v, "__mtu", 1280..=65_521)?,
        append: v.or("__append", ""),
        qemu: v.or("__kvm", "qemu-system-x86_64"),
        qemu_options: v.or("__kvm_opt", ""),
        telnet_base: number::or(v, "XCLUSTER_TELNET_BASE", 12_000, 1..=65_295)?,
        ssh_base: number::or(v, "XCLUSTER_SSH_BASE", 12_300, 1..=65_295)?,
        kubernetes_port: number::or(v, "XCLUSTER_K8S_PORT", 18_080, 1..=65_535)?,
        multicast_base: number::or(v, "XCLUSTER_MCAST_BASE", 120, 1..=254)?,
        dns_port: number::or(v, "XCLUSTER_DNS_PORT", 10_053, 1..=65_535)?,
        dns_upstream: words(&v.or("__dns_upstream", ""), |c| c == ','),
        dns_spoof: v.get("__dns_spoof").map(PathBuf::from),
        prefix,
    })
}

fn cluster_name(v: &Variables) -> Result<ClusterName, SettingsError> {
    let Some(name) = v.get("__cluster") else { return Ok(ClusterName::default()) };
    name.parse().map_err(|e: NameError| SettingsError::Bad {
        name: "__cluster".into(),
        value: name.into(),
        expected: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Settings, Variables};

    fn resolve(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::resolve(Variables::from_pairs(pairs.iter().copied())).map_err(|e| e.to_string())
    }

    #[test]
    fn places_follow_home_and_can_be_set_one_by_one() {
        let p = resolve(&[("HOME", "/h")]).unwrap().places;
        assert_eq!(p.cdrom, Path::new("/h/xcluster/xcluster/tmp/cdrom.iso"));
        assert_eq!(p.store, Path::new("/h/.cache/xcbuild"));
        assert_eq!(p.package_lock(), Path::new("/h/xcluster/xcbuild.lock"));
        let p = resolve(&[
            ("XCLUSTER_WORKSPACE", "/w"),
            ("XCBUILD_STORE", "/s"),
            ("ARCHIVE", "/a"),
            ("__cdrom", "/c.iso"),
            ("XCLUSTER_OVLPATH", "/o1::/o2"),
        ]);
        let p = p.unwrap().places;
        assert_eq!(p.overlays, [Path::new("/o1"), Path::new("/o2")]);
        assert_eq!((p.cdrom, p.home), ("/c.iso".into(), "/w/xcluster".into()));
    }

    #[test]
    fn bad_values_are_named() {
        let home = ("HOME", "/h");
        let rows: &[(&[(&str, &str)], &str)] = &[
            (&[], "$HOME is not set; set it, or set $XCLUSTER_WORKSPACE"),
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
    fn empty_variables_are_unset_ones() {
        let s = resolve(&[("HOME", "/h"), ("__nvm", ""), ("TOPOLOGY", ""), ("__mem", "384")]);
        let s = s.unwrap();
        assert_eq!((s.cluster.counts.vms, s.build.topology.as_str()), (None, "xnet"));
        assert_eq!(s.cluster.memory_mib, Some(384));
        let s = resolve(&[("HOME", "/h"), ("PREFIX", "/usr")]).unwrap();
        assert_eq!(s.variables.get("PREFIX"), None, "a place of programs");
    }
}
