//! The Corefile on disk, with what it imports and the environment.

use std::fs;
use std::path::{Path, PathBuf};

use crate::corefile::{self, Corefile, Outside};
use crate::error::Error;

/// What CoreDNS does where there is no Corefile.
const DEFAULT: &str = ".:53 {\n    whoami\n    log\n}\n";

/// Where the Corefile is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This file.
    File(PathBuf),
    /// The standard input, read already.
    Text(String),
    /// `Corefile` in the working directory, if there is one.
    Default,
}

impl Source {
    /// The file that is followed.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Text(_) | Self::Default => None,
        }
    }

    /// Reads the Corefile. An empty one is an error: it would serve nothing.
    pub(super) fn load(&self) -> Result<Corefile, Error> {
        let read = |path: &Path| {
            let read = fs::read_to_string(path);
            read.map_err(|source| Error::Read { path: path.to_path_buf(), source })
        };
        let corefile = match self {
            Self::File(path) => corefile::parse(&path.to_string_lossy(), &read(path)?, &Machine)?,
            Self::Text(text) => corefile::parse("stdin", text, &Machine)?,
            Self::Default => match Path::new("Corefile") {
                path if path.is_file() => corefile::parse("Corefile", &read(path)?, &Machine)?,
                _ => corefile::parse("Corefile", DEFAULT, &Machine)?,
            },
        };
        if corefile.blocks.is_empty() { Err(Error::NothingToListenOn) } else { Ok(corefile) }
    }
}

/// This machine.
struct Machine;

impl Outside for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn import(&self, from: &str, what: &str) -> Result<Vec<(String, String)>, String> {
        let directory = Path::new(from).parent().unwrap_or(Path::new("."));
        let path = directory.join(what);
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            Ok((path.display().to_string(), text))
        };
        let pattern = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((start, end)) = pattern.split_once('*') else {
            return Ok(vec![read(path)?]);
        };
        if end.contains('*') || what.contains(['?', '[']) {
            return Err("only one `*` in a file's name is supported".to_owned());
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        let entries = fs::read_dir(directory).map_err(|error| error.to_string())?;
        let matches = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        };
        let mut paths: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(matches).collect();
        paths.sort();
        paths.into_iter().map(read).collect()
    }
}
