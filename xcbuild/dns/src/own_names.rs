//! The names we know, kept up with the hosts files they are from.

use std::net::IpAddr;
use std::time::Instant;

use crate::config::Config;
use crate::error::Error;
use crate::names::Names;
use crate::watched::Watched;
use crate::wire::{Answer, Name, Query};

/// Names from the configuration and from hosts files.
pub(crate) struct OwnNames {
    zone: Option<Name>,
    fixed: Vec<(Name, IpAddr)>,
    files: Vec<(Watched, String)>,
    names: Names,
}

impl OwnNames {
    /// Reads the hosts files, with warnings about their lines; a file that can't be read is an
    /// error, as it was asked for.
    pub(crate) fn open(config: &Config) -> Result<(Self, Vec<String>), Error> {
        let mut files = Vec::with_capacity(config.hosts.len());
        for path in &config.hosts {
            let (watched, text) = Watched::open(path, config.timing.look_at_files);
            let text = text.map_err(|source| Error::Read { path: path.clone(), source })?;
            files.push((watched, text));
        }
        let (zone, fixed) = (config.zone.clone(), config.names.clone());
        let mut own = Self { zone, fixed, files, names: Names::default() };
        let warnings = own.rebuild();
        Ok((own, warnings))
    }

    /// The answer, if the name is ours.
    pub(crate) fn answer(&self, query: &Query) -> Option<Answer> {
        self.names.answer(query)
    }

    /// Reads again what changed; what to say about that, and warnings.
    pub(crate) fn reload(&mut self, now: Instant) -> Option<(String, Vec<String>)> {
        let mut changed = Vec::new();
        for (watched, text) in &mut self.files {
            if let Some(new) = watched.changed(now) {
                *text = new;
                changed.push(watched.path().display().to_string());
            }
        }
        if changed.is_empty() {
            return None;
        }
        let warnings = self.rebuild();
        Some((format!("{}: {} names", changed.join(", "), self.names.len()), warnings))
    }

    /// Makes the table of names; warnings about lines that can't be read.
    fn rebuild(&mut self) -> Vec<String> {
        let mut names = Names::new(self.zone.clone());
        for (name, address) in &self.fixed {
            names.add(name.clone(), *address);
        }
        let mut warnings = Vec::new();
        for (watched, text) in &self.files {
            let path = watched.path().display();
            let problems = names.add_hosts(text).into_iter();
            warnings.extend(problems.map(|problem| problem.at(&path)));
        }
        self.names = names;
        warnings
    }
}
