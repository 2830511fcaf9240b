//! The lock file: which packages a workspace is built from.
//!
//! `xcbuild.lock` lies in the user's workspace and is meant to be kept under version control by
//! users who want the same nodes next year. It is TOML:
//!
//! ```toml
//! version = 1
//!
//! [[set]]                       # what was asked for, and what apt answered
//! wants = ["busybox-static"]
//! without = ["udev"]            # count as installed, see `Request`; not there for none
//! over = "…"                    # digest of the set below it; not there for none
//! packages = ["busybox-static=1:1.35.0-4"]
//!
//! [[package]]
//! name = "busybox-static"
//! version = "1:1.35.0-4"
//! architecture = "amd64"
//! file = "busybox-static_1%3a1.35.0-4_amd64.deb"
//! size = 928188
//! sha256 = "…"
//! ```
//!
//! No address of an archive is in it: the bytes are named by their digest, and whoever has them may
//! give them. Sets and packages are sorted, so that equal contents are equal files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use xc_store::key::{Digest, KeyBuilder};

const VERSION: u32 = 1;
const HEADER: &str = "\
# The Debian packages that nodes and overlays of this workspace are built from, by digest.
# Written by xcbuild: `xcbuild lock` shows it, `xcbuild lock --update [PACKAGE]` renews it.
# Without this file the next build takes what the archive has then, and writes it again.

";

/// One package, exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, with the epoch.
    pub version: String,
    /// `amd64` and its like, or `all`.
    pub architecture: String,
    /// The file's name in the archive.
    pub file: String,
    /// The file's length in bytes.
    pub size: u64,
    /// The SHA-256 of the file.
    pub sha256: Digest,
}

impl Package {
    /// `name=version`, as apt takes it.
    pub fn id(&self) -> String {
        format!("{}={}", self.name, self.version)
    }
}

/// Packages that belong together, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageSet {
    /// The packages.
    pub packages: Vec<Package>,
}

impl PackageSet {
    /// A set of those packages.
    pub fn new(mut packages: Vec<Package>) -> Self {
        packages.sort();
        packages.dedup();
        Self { packages }
    }

    /// What names the set: the digests of its packages.
    pub fn digest(&self) -> Digest {
        let digests: Vec<&[u8; 32]> = self.packages.iter().map(|p| p.sha256.bytes()).collect();
        *KeyBuilder::new("debian-set").list("packages", &digests).finish().digest()
    }

    /// Bytes of all package files.
    pub fn size(&self) -> u64 {
        self.packages.iter().map(|p| p.size).sum()
    }

    /// The package of that name.
    pub fn get(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|p| p.name == name)
    }
}

/// What a set is the answer to. Names are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Question {
    /// Names, or `name=version`.
    pub(super) wants: Vec<String>,
    /// What counts as installed without being there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) without: Vec<String>,
    /// The set that is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) over: Option<Digest>,
}

/// Why a lock file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not TOML, or lacks something.
    #[error("it is damaged: {0}")]
    Syntax(String),
    /// Another xcbuild wrote it.
    #[error("it has version {0}; this xcbuild knows version {VERSION}")]
    Version(u32),
    /// A set names a package that isn't listed.
    #[error("it is damaged: a set names `{0}`, which is not in the file")]
    Dangling(String),
}

/// A lock file in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockFile {
    sets: BTreeMap<Question, PackageSet>,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    version: u32,
    #[serde(default)]
    set: Vec<SetOnDisk>,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Serialize, Deserialize)]
struct SetOnDisk {
    #[serde(flatten)]
    question: Question,
    packages: Vec<String>,
}

impl LockFile {
    /// Reads a lock file.
    ///
    /// # Errors
    /// [`LockError`], which says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let syntax = |e: toml::de::Error| LockError::Syntax(e.message().to_owned());
        // The version comes first: a later format may not parse as ours.
        let Version { version } = toml::from_str(text).map_err(syntax)?;
        if version != VERSION {
            return Err(LockError::Version(version));
        }
        let disk: OnDisk = toml::from_str(text).map_err(syntax)?;
        let by_id: BTreeMap<String, Package> =
            disk.package.into_iter().map(|p| (p.id(), p)).collect();
        let mut sets = BTreeMap::new();
        for set in disk.set {
            let find = |id: String| by_id.get(&id).cloned().ok_or(LockError::Dangling(id));
            let packages = set.packages.into_iter().map(find).collect::<Result<_, _>>()?;
            sets.insert(set.question, PackageSet::new(packages));
        }
        Ok(Self { sets })
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let package: BTreeSet<&Package> = self.sets.values().flat_map(|s| &s.packages).collect();
        let set = self.sets.iter().map(|(question, set)| SetOnDisk {
            question: question.clone(),
            packages: set.packages.iter().map(Package::id).collect(),
        });
        let disk = OnDisk {
            version: VERSION,
            set: set.collect(),
            package: package.into_iter().cloned().collect(),
        };
        // Plain strings, numbers and lists: there is nothing in it that TOML can't express.
        HEADER.to_owned() + &toml::to_string_pretty(&disk).unwrap_or_default()
    }

    pub(super) fn answer(&self, question: &Question) -> Option<&PackageSet> {
        self.sets.get(question)
    }

    pub(super) fn put(&mut self, question: Question, set: PackageSet) {
        self.sets.insert(question, set);
    }

    /// All packages of all sets, sorted, each once.
    pub fn packages(&self) -> Vec<&Package> {
        let all: BTreeSet<&Package> = self.sets.values().flat_map(|s| &s.packages).collect();
        all.into_iter().collect()
    }

    /// Forgets the sets that have one of those packages, or all sets if none are named; gives the
    /// names that no set has.
    pub fn forget<'n>(&mut self, names: &'n [String]) -> Vec<&'n str> {
        let unknown = |n: &&str| !self.sets.values().any(|s| s.get(n).is_some());
        let unknown = names.iter().map(String::as_str).filter(unknown).collect();
        let stays = |s: &PackageSet| !names.is_empty() && names.iter().all(|n| s.get(n).is_none());
        self.sets.retain(|_, set| stays(set));
        unknown
    }
}

#[cfg(test)]
mod tests;
