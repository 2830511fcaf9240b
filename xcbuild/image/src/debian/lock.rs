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
mod tests {
    use super::{Digest, HEADER, LockError, LockFile, Package, PackageSet, Question};

    fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            file: format!("{name}_{version}_amd64.deb"),
            size: 7,
            sha256: Digest::of(format!("{name}{version}").as_bytes()),
        }
    }

    fn question(wants: &[&str], over: Option<Digest>) -> Question {
        Question { wants: wants.iter().map(|w| (*w).to_owned()).collect(), without: vec![], over }
    }

    fn two_sets() -> LockFile {
        let mut lock = LockFile::default();
        let base = PackageSet::new(vec![package("libc6", "2.36-9"), package("busybox", "1:1.35")]);
        let over = Some(base.digest());
        lock.put(question(&["busybox"], None), base);
        let upper = PackageSet::new(vec![package("jq", "1.6"), package("libc6", "2.36-9")]);
        lock.put(question(&["jq"], over), upper);
        lock
    }

    #[test]
    fn the_file_is_stable_and_comes_back() {
        let lock = two_sets();
        let text = lock.render();
        assert_eq!(LockFile::parse(&text).unwrap(), lock);
        insta::assert_snapshot!(text.strip_prefix(HEADER).unwrap(), @r#"
        version = 1

        [[set]]
        wants = ["busybox"]
        packages = [
            "busybox=1:1.35",
            "libc6=2.36-9",
        ]

        [[set]]
        wants = ["jq"]
        over = "fa41c23c8f1202220d4991c500dc0880c14cb92d2b96fb3170e74430bb754e6d"
        packages = [
            "jq=1.6",
            "libc6=2.36-9",
        ]

        [[package]]
        name = "busybox"
        version = "1:1.35"
        architecture = "amd64"
        file = "busybox_1:1.35_amd64.deb"
        size = 7
        sha256 = "83bb24797308bddca3673c9bdccc827bd5cd75516a8c31f3c51ab33229bf134a"

        [[package]]
        name = "jq"
        version = "1.6"
        architecture = "amd64"
        file = "jq_1.6_amd64.deb"
        size = 7
        sha256 = "e25c2035923c307a8faa5ec108a84297df184f812baceff886184ade7a169de8"

        [[package]]
        name = "libc6"
        version = "2.36-9"
        architecture = "amd64"
        file = "libc6_2.36-9_amd64.deb"
        size = 7
        sha256 = "3c2446d026b7c35e217f2461831b1e1f7545a918c30cde78e8080439b06f297b"
        "#);
        assert_eq!(lock.packages().len(), 3);
    }

    #[test]
    fn damage_is_named() {
        let text = two_sets().render();
        let error = |text: &str| LockFile::parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(error(&text.replace("version = 1\n", "version = 2\n")), @"it has version 2; this xcbuild knows version 1");
        insta::assert_snapshot!(error(&text.replace("name = \"jq\"", "name = \"yq\"")), @"it is damaged: a set names `jq=1.6`, which is not in the file");
        let short = text.replace("sha256 = \"", "sha256 = \"0");
        assert!(matches!(LockFile::parse(&short), Err(LockError::Syntax(_))));
        assert!(matches!(LockFile::parse(""), Err(LockError::Syntax(_))));
    }

    #[test]
    fn sets_are_forgotten_by_package() {
        let names = |n: &[&str]| n.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let mut lock = two_sets();
        assert_eq!(lock.forget(&names(&["jq", "nothing"])), ["nothing"]);
        assert_eq!(lock.sets.len(), 1);
        let mut lock = two_sets();
        assert_eq!(lock.forget(&names(&["libc6"])), Vec::<&str>::new());
        assert!(lock.sets.is_empty());
        let mut lock = two_sets();
        lock.forget(&[]);
        assert!(lock.sets.is_empty());
    }
}
