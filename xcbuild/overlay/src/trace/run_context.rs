//! What a script is run with, and what its traces are compared with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::path_roots::PathRoots;
use super::variables::GENERAL;
use super::watch::Ignored;
use crate::Params;
use crate::params::Passed;
use xc_store::store::{Directory, Store, StoreLayout};

/// Variables that are roots, besides those of the search path.
const PLACES: &[&str] =
    &["ARCHIVE", "KERNELDIR", "GOPATH", "DISKIM", "XCLUSTER_HOME", "XCLUSTER_WORKSPACE", "HOME"];
/// Variables that a script gets and that decide nothing: its own directory, and the program whose
/// helpers it calls, which count by their version, with its store.
const OURS: &[&str] = &["TMPDIR", "XCBUILD_STORE", "XCLUSTER", "XCLUSTER_TMP"];
/// The user's name: counts where it shows in the result.
pub(super) const USER: &str = "USER";

/// One overlay's script on this machine, for this user.
#[derive(Debug)]
pub struct RunContext {
    /// Directories by name.
    pub roots: PathRoots,
    /// The variables of the script, but for those that decide nothing.
    variables: BTreeMap<String, String>,
    passed: Passed,
    store: PathBuf,
    carried: PathBuf,
    program: Option<PathBuf>,
}

impl RunContext {
    /// The context of an overlay.
    pub fn of(directory: &Path, params: &Params, store: &Store) -> Self {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let carried = store.directory(Directory::Embedded);
        let mut list = vec![("OVERLAY".to_owned(), directory.to_path_buf())];
        for (at, place) in params.search.directories.iter().enumerate() {
            let ours = place.starts_with(&carried);
            let name = if ours { "CARRIED".to_owned() } else { format!("OVLPATH.{at}") };
            list.push((name, place.clone()));
        }
        let environment = &params.script_environment;
        let known = |name: &&str| Some(((*name).to_owned(), environment.get(*name)?.into()));
        list.extend(PLACES.iter().filter_map(known));
        let mut variables = environment.clone();
        variables.insert("PATH".into(), params.programs.to_string_lossy().into_owned());
        variables.retain(|name, _| !OURS.contains(&name.as_str()));
        Self {
            roots: PathRoots::new(list),
            variables,
            passed: params.passed.clone(),
            store: real(store.layout().root()),
            carried: real(&carried),
            program: environment.get("XCLUSTER").map(|p| real(Path::new(p))),
        }
    }

    /// What of the machine is of no account for a run in that directory.
    pub fn ignored(&self, work: &Path) -> Ignored {
        let work = work.canonicalize().unwrap_or_else(|_| work.to_path_buf());
        let store = StoreLayout::new(&self.store);
        let mut but = self.roots.roots();
        but.retain(|place| place.starts_with(&self.store));
        but.push(self.carried.clone());
        Ignored {
            results: [Directory::Records, Directory::Blobs, Directory::Local]
                .map(|d| store.directory(d))
                .into(),
            below: vec![self.store.clone(), work.clone()],
            work,
            but,
            program: self.program.clone(),
        }
    }

    /// A variable as it counts: with roots by name.
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = self.variables.get(name)?;
        // Whose name it is counts only where it shows.
        Some(if name == USER { format!("${USER}") } else { self.roots.value(value) })
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The user's name.
    pub fn user(&self) -> Option<&str> {
        self.variables.get(USER).map(String::as_str)
    }

    /// Whether a word can be the name of a variable of a script's.
    pub fn is_variable(&self, word: &str) -> bool {
        let passed = self.passed.contains(word) || self.variables.contains_key(word);
        passed && !OURS.contains(&word) && !GENERAL.contains(&word)
    }

    /// The value of what shows in results: a place's path, or the user's name.
    pub fn shown(&self, name: &str) -> Option<String> {
        if name == USER { self.user().map(ToOwned::to_owned) } else { self.roots.given(name) }
    }

    /// A path of a trace for people: in the overlay relative, else absolute.
    pub fn label(&self, path: &str) -> String {
        let local = path.strip_prefix("$OVERLAY/").map(ToOwned::to_owned);
        let full = || self.roots.path(path).map(|p| p.display().to_string());
        local.or_else(full).unwrap_or_else(|| path.to_owned())
    }
}

/// The machine's names, as uname(2) gives them.
pub(super) fn machine() -> String {
    let names = rustix::system::uname();
    let parts =
        [names.sysname(), names.nodename(), names.release(), names.version(), names.machine()];
    parts.map(|p| p.to_string_lossy().into_owned()).join(" ")
}
