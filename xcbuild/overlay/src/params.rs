//! What overlays are built with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::Variables;
use super::find::Search;

/// Variables of the contract that scripts get as they are, besides those of `env`, `__name` and
/// `xcluster_NAME`.
const PASSED: &[&str] =
    &["GOPATH", "HOME", "PREFIX", "SETUP", "TEST", "TOPOLOGY", "USER", "XOVLS", "XCLUSTER_HOOK"];

/// All that overlays are built from, besides themselves.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// Where overlays are looked for.
    pub search: Search,
    /// The variables that manifests may declare, with the values the user gave them.
    pub variables: Variables,
    /// What `tar` scripts get as their environment: the contract's variables, and no other.
    pub script_environment: BTreeMap<String, String>,
    /// `ARCHIVE`: where archives are.
    pub archive: PathBuf,
    /// `PATH`: where host programs are looked for.
    pub programs: OsString,
    /// The lock file that pins Debian packages.
    pub package_lock: PathBuf,
    /// When a script is ended that doesn't end by itself, if not after the usual time.
    pub script_timeout: Option<Duration>,
    /// The bytes that a compressed tar may become, if not what is usual.
    pub unpack_max: Option<u64>,
    /// Whether scripts are run unwatched, and every time.
    pub untraced: bool,
}

/// Whether scripts get a variable of that name as it is.
pub fn is_passed(name: &str) -> bool {
    let by_start = name.starts_with("__") || name.starts_with("xcluster_");
    (PASSED.contains(&name) || by_start) && !OF_BUILDING.contains(&name)
}

/// How much is done at once, and how long it may take, decides nothing that comes out.
const OF_BUILDING: &[&str] = &["__jobs", "__script_timeout", "__unpack_max"];
