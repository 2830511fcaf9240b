//! From what a script asked of the file tree to what it depends on. Pure: it gets what was where
//! at the moment of each call, and looks at nothing itself.
//!
//! The *first* look at a path counts: that is what a later build compares. If the script changed it
//! afterwards and left it so, the next build sees another state and runs the script again; so a
//! record can be of too much use never, only of too little.
//!
//! What the script made itself is its own, with all below it: nothing of that is recorded.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::found::Found;
use super::path_resolver::{Resolved, is_in};

/// Directories for things that go away, where scripts make files with names of their own.
const SCRATCH: &[&str] = &["/tmp", "/var/tmp", "/dev/shm"];

/// What is done with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Asked what it is.
    Stat,
    /// Read; `data` if by a program to which it can only be data.
    Read { data: bool },
    /// Listed, with the names that were there.
    List(Vec<Vec<u8>>),
    /// Made: a file, directory, link or name.
    Create,
    /// Emptied and written again.
    Replace,
}

/// What is known of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What was there first.
    pub first: Found,
    /// Whether its content counts.
    pub read: bool,
    /// Whether whoever read it could take it for data alone.
    pub data: bool,
    /// Its names, if it was listed.
    pub names: Option<Vec<Vec<u8>>>,
    /// Whether the script made it later.
    pub made: bool,
}

/// What a script asked, so far.
#[derive(Debug, Default)]
pub struct Record {
    /// By path without links. A script looks thousands of times: texts compare faster than paths.
    pub seen: BTreeMap<OsString, Observed>,
    /// What the script made where nothing was: its own, with all below.
    own: HashSet<Vec<u8>>,
    /// What it wrote over.
    pub replaced: BTreeSet<PathBuf>,
    /// Whether it may have run something that it had made, copies above all.
    pub ran_own: bool,
    /// Directories that are no scratch, wherever they are.
    kept: Vec<PathBuf>,
}

impl Record {
    /// A record of nothing. What lies in the directories is kept, even if they are in `/tmp`.
    pub fn new(kept: Vec<PathBuf>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Whether a path that was seen counts after the run: what was not there and was made by the
    /// script counts only if it was left there, and not among what goes away by itself.
    pub fn counts(&self, path: &Path, seen: &Observed, is_left: impl FnOnce() -> bool) -> bool {
        !seen.made || (!self.is_scratch(path) && is_left())
    }

    fn is_scratch(&self, path: &Path) -> bool {
        SCRATCH.iter().any(|scratch| is_in(path, Path::new(scratch)))
            && !self.kept.iter().any(|kept| is_in(path, kept))
    }

    /// Whether a path is of the script's own making.
    pub fn is_own(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_bytes();
        let mut ends = memchr::memchr_iter(b'/', path).skip(1).chain([path.len()]);
        !self.own.is_empty() && ends.any(|end| self.own.contains(&path[..end]))
    }

    /// Takes note of the links that a call went through.
    pub fn note_links(&mut self, at: &Resolved) {
        for (link, target) in &at.links {
            if !self.is_own(link) {
                self.first(link, &Found::Link(target.clone()));
            }
        }
    }

    /// Takes note of a call.
    pub fn note(&mut self, at: &Resolved, used: Access) {
        self.note_links(at);
        if self.is_own(&at.path) {
            return;
        }
        match used {
            Access::Stat => {
                self.first(&at.path, &at.found);
            }
            Access::Read { data } => {
                let seen = self.first(&at.path, &at.found);
                if matches!(at.found, Found::File(_)) {
                    seen.data = data && (seen.data || !seen.read);
                    seen.read = true;
                }
            }
            Access::List(names) => {
                let seen = self.first(&at.path, &at.found);
                seen.names.get_or_insert(names);
            }
            Access::Create if at.found.exists() => {
                // `mkdir -p /tmp/$USER` wants it to be there, and does not care why it is.
                if !self.is_scratch(&at.path) {
                    self.first(&at.path, &at.found);
                }
            }
            Access::Create => {
                self.first(&at.path, &at.found).made = true;
                self.own.insert(at.path.as_os_str().as_bytes().to_vec());
            }
            Access::Replace if at.found.exists() => {
                let is_read = self.seen(&at.path).is_some_and(|seen| seen.read);
                self.first(&at.path, &at.found);
                self.replaced.insert(at.path.clone());
                // What was read before it was written over is a matter of its own.
                if !is_read {
                    self.own.insert(at.path.as_os_str().as_bytes().to_vec());
                }
            }
            Access::Replace => self.note(at, Access::Create),
        }
    }

    /// What is known of a path.
    pub fn seen(&self, path: &Path) -> Option<&Observed> {
        self.seen.get(path.as_os_str())
    }

    fn first(&mut self, path: &Path, found: &Found) -> &mut Observed {
        self.seen.entry(path.into()).or_insert_with(|| Observed {
            first: found.clone(),
            read: false,
            data: false,
            names: None,
            made: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::found::{Found, Meta, Stamp};
    use super::super::path_resolver::Resolved;
    use super::{Access, Record};

    const META: Meta = Meta {
        mode: 0o644,
        owner: (0, 0),
        stamp: Stamp { inode: 1, size: 2, modified: 3, changed: 4 },
    };
    const READ: Access = Access::Read { data: false };
    const DATA: Access = Access::Read { data: true };

    fn at(path: &str, found: Found) -> Resolved {
        Resolved { links: Vec::new(), path: path.into(), found }
    }

    fn file(path: &str) -> Resolved {
        at(path, Found::File(META))
    }

    fn directory(path: &str) -> Resolved {
        at(path, Found::Directory(META))
    }

    fn missing(path: &str) -> Resolved {
        at(path, Found::Missing)
    }

    /// What counts after the run, if of all that was made only these are left.
    fn counted(notes: &[(Resolved, Access)], left: &[&str]) -> Vec<String> {
        let mut record = Record::default();
        for (at, used) in notes {
            record.note(at, used.clone());
        }
        let is_left = |path: &Path| left.iter().any(|l| Path::new(l) == path);
        let seen = record.seen.iter().map(|(path, seen)| (Path::new(path), seen));
        let counts = seen.filter(|(p, seen)| record.counts(p, seen, || is_left(p)));
        let shown = counts.map(|(path, seen)| {
            let kind = match (&seen.first, seen.read, seen.data) {
                (Found::Missing, ..) => "missing",
                (Found::File(_), true, true) => "data",
                (Found::File(_), true, false) => "read",
                (Found::File(_), false, _) => "file",
                (Found::Directory(_), ..) if seen.names.is_some() => "listed",
                (Found::Directory(_), ..) => "directory",
                (Found::Link(_), ..) => "link",
                (Found::Other(_), ..) => "other",
            };
            format!("{} {kind}", path.display())
        });
        shown.collect()
    }

    #[test]
    fn what_counts_of_what_is_done() {
        type Row<'a> = (&'a str, Vec<(Resolved, Access)>, &'a [&'a str], &'a [&'a str]);
        let rows: &[Row<'_>] = &[
            ("read", vec![(file("/a"), READ)], &[], &["/a read"]),
            (
                "asked, then read",
                vec![(file("/a"), Access::Stat), (file("/a"), READ)],
                &[],
                &["/a read"],
            ),
            ("copied", vec![(file("/a"), DATA)], &[], &["/a data"]),
            ("copied and run", vec![(file("/a"), DATA), (file("/a"), READ)], &[], &["/a read"]),
            ("run and copied", vec![(file("/a"), READ), (file("/a"), DATA)], &[], &["/a read"]),
            ("missing", vec![(missing("/a"), READ)], &[], &["/a missing"]),
            ("asked only", vec![(file("/a"), Access::Stat)], &[], &["/a file"]),
            ("listed", vec![(directory("/d"), Access::List(vec![]))], &[], &["/d listed"]),
            ("its own", vec![(missing("/a"), Access::Create), (file("/a"), READ)], &[], &[]),
            (
                "in its own directory",
                vec![
                    (missing("/d"), Access::Create),
                    (missing("/d/x"), Access::Stat),
                    (file("/d/x"), READ),
                ],
                &[],
                &[],
            ),
            (
                "looked for, then made and removed",
                vec![(missing("/a"), Access::Stat), (missing("/a"), Access::Create)],
                &[],
                &[],
            ),
            (
                "made and left",
                vec![(missing("/o/a"), Access::Create)],
                &["/o/a"],
                &["/o/a missing"],
            ),
            ("made and left in /tmp", vec![(missing("/tmp/a"), Access::Create)], &["/tmp/a"], &[]),
            (
                "mkdir -p of what is there",
                vec![(directory("/tmp/u"), Access::Create), (directory("/o/d"), Access::Create)],
                &[],
                &["/o/d directory"],
            ),
            (
                "another user's file in /tmp",
                vec![(file("/tmp/u/x"), READ)],
                &[],
                &["/tmp/u/x read"],
            ),
            (
                "written over, then read",
                vec![(file("/a"), Access::Replace), (file("/a"), READ)],
                &[],
                &["/a file"],
            ),
            (
                "read, then written over",
                vec![(file("/a"), READ), (file("/a"), Access::Replace)],
                &[],
                &["/a read"],
            ),
            ("replaced where nothing was", vec![(missing("/a"), Access::Replace)], &[], &[]),
        ];
        for (what, notes, left, expected) in rows {
            assert_eq!(counted(notes, left), *expected, "{what}");
        }
    }

    #[test]
    fn links_on_the_way_count_unless_the_script_made_them() {
        let through = |link: &str| Resolved {
            links: vec![(link.into(), "/a".into())],
            path: "/a/x".into(),
            found: Found::File(META),
        };
        assert_eq!(counted(&[(through("/l"), READ)], &[]), ["/a/x read", "/l link"]);
        let own = [(missing("/l"), Access::Create), (through("/l"), READ)];
        assert_eq!(counted(&own, &[]), ["/a/x read"]);
    }
}
