//! What a test needs of the machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Something that a test can't do without.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// A program on `PATH`, or where the system has those of root.
    Program(&'static str),
    /// A file, and the package that brings it.
    File(&'static str, &'static str),
    /// To be run by root.
    Root,
    /// Anything else; the error is the reason why the machine does not have it. It is asked once.
    Check(fn() -> Result<(), String>),
    /// All of these.
    All(&'static [Need]),
}

impl Need {
    /// Why the machine does not have it.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Program(name) => (!on_path(name)).then(|| format!("`{name}` is not installed")),
            Self::File(path, package) => (!Path::new(path).exists())
                .then(|| format!("`{path}` is not installed (package {package})")),
            Self::Root => {
                (!rustix::process::geteuid().is_root()).then(|| "only root can do that".to_owned())
            }
            Self::Check(check) => answer(check),
            Self::All(needs) => missing(needs),
        }
    }
}

/// Why the machine does not have all of these: the first reason.
pub(crate) fn missing<'a>(needs: impl IntoIterator<Item = &'a Need>) -> Option<String> {
    needs.into_iter().find_map(|need| need.missing())
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|directory| directory.join(program).is_file())
}

/// What a check said when it was asked first: some take a process or two. Different ones are made at
/// the same time.
fn answer(check: fn() -> Result<(), String>) -> Option<String> {
    type Answer = Arc<OnceLock<Option<String>>>;
    static ASKED: Mutex<BTreeMap<usize, Answer>> = Mutex::new(BTreeMap::new());
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = Arc::clone(asked.entry(check as usize).or_default());
    drop(asked);
    answer.get_or_init(|| check().err()).clone()
}
