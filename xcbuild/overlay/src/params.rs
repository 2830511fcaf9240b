//! What overlays are built with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::Variables;
use super::find::Search;

/// Which variables scripts get as they are: those of options (`__name`) and of nodes
/// (`xcluster_NAME`), and others of the contract.
#[derive(Debug, Clone, Default)]
pub struct Passed {
    /// The others.
    pub others: Vec<&'static str>,
    /// Options that say how much is done at once, or how long it may take: nothing that comes out
    /// depends on them, and scripts don't get them.
    pub neutral: Vec<&'static str>,
}

impl Passed {
    /// Whether scripts get a variable of that name.
    pub fn contains(&self, name: &str) -> bool {
        let by_start = name.starts_with("__") || name.starts_with("xcluster_");
        (self.others.contains(&name) || by_start) && !self.neutral.contains(&name)
    }
}

/// All that overlays are built from, besides themselves.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// Where overlays are looked for.
    pub search: Search,
    /// The variables that manifests may declare, with the values the user gave them.
    pub variables: Variables,
    /// What `tar` scripts get as their environment: the contract's variables, and no other.
    pub script_environment: BTreeMap<String, String>,
    /// Which variables scripts get if they are set.
    pub passed: Passed,
    /// `ARCHIVE`: where archives are.
    pub archive: PathBuf,
    /// `PATH`: where host programs are looked for.
    pub programs: OsString,
    /// The base image that nodes start from, if it is there: overlays' modules and libraries are
    /// listed together with its own.
    pub base_image: PathBuf,
    /// The lock file that pins Debian packages.
    pub package_lock: PathBuf,
    /// When a script is ended that doesn't end by itself, if not after the usual time.
    pub script_timeout: Option<Duration>,
    /// The bytes that a compressed tar may become, if not what is usual.
    pub unpack_max: Option<u64>,
    /// Whether scripts are run unwatched, and every time.
    pub untraced: bool,
}
