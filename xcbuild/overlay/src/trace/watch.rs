//! The watcher of a run: calls go in, a [`Record`] and some [`Facts`] come out.

use std::path::{Path, PathBuf};

use super::found::{Found, names};
use super::loader;
use super::path_resolver::{PathResolver, Resolved, is_in};
use super::path_roots::PathRoots;
use super::programs;
use super::record::{Access, Observed, Record};
use xc_sys::trace::{Call, Flow, OpenFlags, Task};

/// Files of `/proc` that say something of the machine which stays; all others are of processes, or
/// of the moment.
const OF_MACHINE: &[&str] = &[
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/version",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/ostype",
    "/proc/sys/kernel/version",
];
/// Directories whose files are of the moment, and one in them whose files are not.
const OF_MOMENT: &[&str] = &["/proc", "/sys", "/dev"];
const SHARED_MEMORY: &str = "/dev/shm";
/// Devices that give something else each time.
const RANDOM: &[&str] = &["/dev/random", "/dev/urandom", "/dev/hwrng"];
/// Sockets that the C library tries by itself, whose answers are also in files.
const OF_LIBC: &[&str] = &["/run/nscd", "/run/systemd/userdb", "/run/systemd/journal", "/dev/log"];

/// What a run did, besides what it asked of the file tree.
#[derive(Debug, Default)]
pub struct Facts {
    /// Why its result can't be used again, if so.
    pub always: Option<String>,
    /// A set-id program that it wanted to run.
    pub set_id: Option<PathBuf>,
    /// Whether the loader used its cache.
    pub loader: bool,
    /// Whether it asked for the machine's names.
    pub machine: bool,
    /// Whether a shell did so at its start.
    pub machine_of_shell: bool,
    /// What gave it all variables, if anything.
    pub all_variables: Option<String>,
    /// Whether it called our own helpers.
    pub helpers: bool,
}

/// What is of no account wherever it is, and what of that is.
#[derive(Debug, Default)]
pub struct Ignored {
    /// The run's own directory.
    pub work: PathBuf,
    /// Directories of results in the store: who reads these depends on more than files.
    pub results: Vec<PathBuf>,
    /// The run's own directory, and the store.
    pub below: Vec<PathBuf>,
    /// What lies in these and counts all the same.
    pub but: Vec<PathBuf>,
    /// Our own program.
    pub program: Option<PathBuf>,
}

/// Watches one run.
pub struct Watcher<'a> {
    roots: &'a PathRoots,
    ignored: Ignored,
    resolver: PathResolver,
    /// What was asked.
    pub record: Record,
    /// What else was done.
    pub facts: Facts,
}

impl<'a> Watcher<'a> {
    /// A watcher that has seen nothing yet.
    pub fn new(roots: &'a PathRoots, ignored: Ignored) -> Self {
        let record = Record::new(roots.roots());
        Self { roots, ignored, resolver: PathResolver::default(), record, facts: Facts::default() }
    }

    /// What was read or listed below a directory, and not below any of those: relative paths.
    pub fn read_below(&self, directory: &Path, but: &[PathBuf]) -> Vec<String> {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf());
        let is_read = |(path, seen): &(&Path, &Observed)| {
            (seen.read || seen.names.is_some()) && !but.iter().any(|b| path.starts_with(b))
        };
        let all = self.record.seen.iter().map(|(path, seen)| (Path::new(path), seen));
        let all = all.filter(is_read);
        let below = all.filter_map(|(path, _)| path.strip_prefix(&directory).ok());
        below.filter(|p| *p != Path::new("")).map(|p| p.display().to_string()).collect()
    }

    /// Takes note of a call, before it is done.
    pub fn call(&mut self, task: &Task, call: Call) -> Flow {
        // Nothing more is to be found out, but for programs that can't be run watched; and a look
        // at what the script may have mounted and serves itself would wait for ever.
        let may_need_rights = matches!(call, Call::Execute { .. }) && !programs::is_root();
        if self.facts.always.is_some() && !may_need_rights {
            return Flow::Continue;
        }
        match call {
            Call::Open(path, how) => self.open(task, &path, how),
            Call::Stat { path, follow } => self.note(&path, follow, Access::Stat),
            Call::List(path) => self.list(path),
            Call::Execute { path, arguments } => return self.execute(&path, &arguments),
            Call::Create(path) => self.note(&path, false, Access::Create),
            Call::Link { from, to } => {
                self.note(&from, false, Access::Read { data: true });
                self.note(&to, false, Access::Create);
            }
            Call::Rename { from, to } => {
                self.note(&from, false, Access::Stat);
                self.note(&to, false, Access::Replace);
                self.resolver.forget(&from);
                self.resolver.forget(&to);
            }
            Call::Remove(path) => {
                self.note(&path, false, Access::Stat);
                let at = self.resolver.resolve(&path, false, self.roots);
                self.resolver.forget(&at.path);
            }
            Call::Connect(path) => self.connect(path.as_deref()),
            Call::Network => self.always("it uses the network"),
            Call::Uname => match programs::is_shell(&program(task)) {
                true => self.facts.machine_of_shell = true,
                false => self.facts.machine = true,
            },
            Call::Unknown(what) => self.always(format!("it uses {what}, which can't be followed")),
        }
        Flow::Continue
    }

    fn always(&mut self, why: impl Into<String>) {
        self.facts.always.get_or_insert_with(|| why.into());
    }

    fn resolve(&mut self, path: &Path, follow: bool) -> Resolved {
        let mut at = self.resolver.resolve(path, follow, self.roots);
        let mut links = std::mem::take(&mut at.links);
        links.retain(|(link, _)| !self.is_ignored(link));
        Resolved { links, ..at }
    }

    fn note(&mut self, path: &Path, follow: bool, used: Access) {
        let at = self.resolve(path, follow);
        self.note_at(&at, used);
    }

    fn note_at(&mut self, at: &Resolved, used: Access) {
        if self.is_ignored(&at.path) {
            // The links that led there may count all the same.
            return self.record.note_links(at);
        }
        let is_directory = matches!(at.found, Found::Directory(_));
        if is_directory && used == Access::Stat && self.roots.is_on_the_way(&at.path) {
            return self.record.note_links(at);
        }
        self.record.note(at, used);
    }

    fn is_ignored(&self, path: &Path) -> bool {
        let of_moment = OF_MOMENT.iter().any(|p| is_in(path, Path::new(p)));
        if of_moment && !is_in(path, Path::new(SHARED_MEMORY)) {
            return !OF_MACHINE.iter().any(|p| path == Path::new(p));
        }
        let ours = self.ignored.below.iter().any(|p| is_in(path, p));
        ours && !self.ignored.but.iter().any(|p| is_in(path, p))
            || self.ignored.program.as_ref().is_some_and(|p| p.as_os_str() == path.as_os_str())
    }

    /// Whether the script made it, or it lies in its working directory.
    fn is_made(&self, path: &Path) -> bool {
        self.record.is_own(path) || is_in(path, &self.ignored.work)
    }

    fn open(&mut self, task: &Task, path: &Path, how: OpenFlags) {
        let at = self.resolve(path, how.follow);
        if self.ignored.results.iter().any(|p| is_in(&at.path, p)) {
            return self.always("it reads xcbuild's store");
        }
        let is_directory = matches!(at.found, Found::Directory(_));
        if how.read && !is_directory && !self.record.ran_own && self.is_made(&at.path) {
            // A shell may run it, and who is not a shell may pass it on to one. (A directory says no
            // more than names, which is what `*` wants of it.)
            self.record.ran_own = !programs::only_copies(&program(task));
        }
        if at.path.as_os_str() == loader::CACHE && is_loader(task) {
            self.facts.loader = true;
            return;
        }
        let random = how.read && RANDOM.iter().any(|p| at.path.as_os_str() == *p);
        if random && !programs::seeds_itself(&program(task)) {
            self.always(format!("it reads {}", at.path.display()));
        }
        if is_in(&at.path, Path::new("/proc")) && at.path.ends_with("environ") {
            self.facts.all_variables.get_or_insert_with(|| at.path.display().to_string());
        }
        let writes = how.write && !how.path_only;
        let used = match &at.found {
            Found::Missing if how.create && !how.directory => Access::Create,
            Found::File(_) if writes && how.truncate => Access::Replace,
            Found::File(_) if how.path_only => Access::Stat,
            Found::File(_) => Access::Read { data: !writes && self.is_data(task, &at.path) },
            Found::Other(_) if !self.is_ignored(&at.path) && !self.record.is_own(&at.path) => {
                self.always(format!("it reads `{}`, which is not a file", at.path.display()));
                Access::Stat
            }
            _ => Access::Stat,
        };
        self.note_at(&at, used);
    }

    /// Whether whoever opens it can take it for data alone.
    fn is_data(&self, task: &Task, path: &Path) -> bool {
        let known = self.record.seen(path).is_some_and(|seen| seen.read && !seen.data);
        !known && !self.is_ignored(path) && programs::only_copies(&program(task))
    }

    fn list(&mut self, path: PathBuf) {
        let known = self.record.seen(&path).is_some_and(|seen| seen.names.is_some());
        if known || self.is_ignored(&path) || self.record.is_own(&path) {
            return;
        }
        // One that can't be listed by us was not listed by the script either.
        let used = names(&path).map_or(Access::Stat, Access::List);
        let at = Resolved { links: Vec::new(), found: Found::at(&path), path };
        self.record.note(&at, used);
    }

    fn execute(&mut self, path: &Path, arguments: &[Vec<u8>]) -> Flow {
        let mut at = self.resolve(path, true);
        if self.ignored.program.as_deref() == Some(&at.path) || programs::is_ours(&at.path) {
            if let Some(verb) = programs::other_verb(arguments) {
                self.always(format!("it calls `xcbuild {verb}`"));
            }
            if programs::shows_all(arguments) {
                self.facts.all_variables.get_or_insert_with(|| "`xcbuild env`".to_owned());
            }
            self.facts.helpers = true;
            self.record.note_links(&at);
        } else {
            if programs::shows_all(arguments) {
                self.facts.all_variables.get_or_insert_with(|| "`env`".to_owned());
            }
            self.record.ran_own |= self.is_made(&at.path);
        }
        // A script's interpreter may be a script.
        for _ in 0..5 {
            if let Found::File(meta) = at.found
                && programs::gains_rights(meta)
            {
                self.facts.set_id = Some(at.path.clone());
                return Flow::End;
            }
            self.note_at(&at, Access::Read { data: false });
            let Some(next) = programs::interpreter(&at.path) else { break };
            at = self.resolve(&next, true);
        }
        Flow::Continue
    }

    fn connect(&mut self, path: Option<&Path>) {
        let Some(path) = path else {
            return self.always("it talks to another program of the host");
        };
        let at = self.resolve(path, true);
        let of_libc = OF_LIBC.iter().any(|p| at.path.starts_with(p));
        if at.found.exists() && !of_libc && !self.is_made(&at.path) {
            self.always(format!("it talks to the program behind `{}`", at.path.display()));
        }
    }
}

/// The program that a task runs.
fn program(task: &Task) -> PathBuf {
    task.program().unwrap_or_default()
}

/// Whether a task makes the call from within the dynamic loader's code.
fn is_loader(task: &Task) -> bool {
    task.maps().is_some_and(|maps| programs::is_loader_at(&maps, task.instruction))
}
