//! From names to package files in the store.
//!
//! A question that the lock file answers is never asked again. One that it doesn't is asked of apt,
//! with every version that the lock file has pinned, and the answer is written to it. The files are
//! taken from the store by digest; what is missing there is fetched exactly as locked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::apt::{Apt, AptError};
use super::lock::{LockFile, Package, PackageSet, Question};
use super::{deb, status};
use xc_report::timeline::span;
#[cfg(test)]
use xc_store::key::Digest;
use xc_store::store::{Directory, Store};
use xc_sys::files;
use xc_sys::lock::Lock;

/// The packages that something needs.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// Names, or `name=version`.
    pub wants: &'a [String],
    /// Names that count as installed though they are not there: what a node does without.
    pub without: &'a [String],
    /// The set that is there already: the base image's, for an overlay.
    pub over: Option<&'a PackageSet>,
}

/// The packages of one workspace.
#[derive(Debug)]
pub struct Packages<'s> {
    store: &'s Store,
    lock_file: PathBuf,
    architecture: String,
    /// The lock file's text when it was last read, and what it says: every overlay of a build asks.
    read: Mutex<Option<(String, Arc<LockFile>)>>,
    /// One question at a time; whether the lists were brought up to date by this process.
    fresh: Mutex<bool>,
}

impl<'s> Packages<'s> {
    /// The packages that a lock file pins, with their bytes in a store.
    pub fn new(store: &'s Store, lock_file: &Path, architecture: &str) -> Self {
        Self {
            store,
            lock_file: lock_file.to_path_buf(),
            architecture: architecture.to_owned(),
            read: Mutex::new(None),
            fresh: Mutex::new(false),
        }
    }

    /// The lock file as it is now; an empty one where there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn locked(&self) -> Result<Arc<LockFile>> {
        let text = match fs::read_to_string(&self.lock_file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(e) => return Err(e.into()),
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lock)) = read.as_ref().filter(|(known, _)| *known == text) {
            return Ok(Arc::clone(lock));
        }
        let lock = LockFile::parse(&text).with_context(|| {
            format!(
                "can't use the lock file `{}`; remove it to have it made again",
                self.lock_file.display()
            )
        })?;
        let lock = Arc::new(lock);
        *read = Some((text, Arc::clone(&lock)));
        Ok(lock)
    }

    /// The exact packages for a request: as locked, else as apt resolves it now.
    ///
    /// # Errors
    /// An [`AptError`] where apt has no answer; a bad name; a lock file that can't be used.
    pub fn resolve(&self, request: &Request<'_>) -> Result<PackageSet> {
        let question = question(request)?;
        if let Some(set) = self.locked()?.answer(&question) {
            return Ok(set.clone());
        }
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let (apt, _busy) = self.apt()?;
        // Another thread or process may have asked the same meanwhile.
        let lock = self.locked()?;
        if let Some(set) = lock.answer(&question) {
            return Ok(set.clone());
        }
        let _span = span("fetch", "resolve packages");
        let progress = self.store.reporter().progress("resolving packages");
        self.bring_up_to_date(&apt, &mut fresh)?;
        let status = self.status(request)?;
        let found = apt.resolve(request.wants, &status, &lock.packages())?;
        drop(progress);
        let set = PackageSet::new(found);
        let mut lock = LockFile::clone(&lock);
        lock.put(question, set.clone());
        files::write_atomic(&self.lock_file, lock.render().as_bytes())?;
        Ok(set)
    }

    /// Sees to it that all files of a set are in the store.
    ///
    /// # Errors
    /// [`AptError::Gone`] for packages that the archive no longer has; other [`AptError`]s; when
    /// the store can't be written.
    pub fn fetch(&self, set: &PackageSet) -> Result<()> {
        if self.missing(set)?.is_empty() {
            return Ok(());
        }
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let (apt, _busy) = self.apt()?;
        let missing = self.missing(set)?;
        if missing.is_empty() {
            return Ok(());
        }
        if !apt.has_lists()? {
            self.bring_up_to_date(&apt, &mut fresh)?;
        }
        let bytes: u64 = missing.iter().map(|p| p.size).sum();
        let _progress = self.store.reporter().progress(format_args!(
            "fetching {} packages, {} MB",
            missing.len(),
            bytes.div_ceil(1_000_000)
        ));
        let _span = span("fetch", format_args!("{} packages", missing.len()));
        let place = self.store.work_directory()?;
        let first = apt.download(&missing, place.path());
        if matches!(first, Err(AptError::Gone(_) | AptError::Unknown(_))) && !*fresh {
            self.bring_up_to_date(&apt, &mut fresh)?;
            apt.download(&missing, place.path()).map_err(gone_if_unknown)?;
        } else {
            first?;
        }
        missing.iter().try_for_each(|package| self.take(package, place.path()))
    }

    /// Forgets locked sets so that the next build resolves them again: those with one of the
    /// packages, or all if none are named.
    ///
    /// # Errors
    /// When a name is in no set, or the lock file can't be read or written.
    pub fn forget(&self, names: &[String]) -> Result<()> {
        let _one = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let (_apt, _busy) = self.apt()?;
        let mut lock = LockFile::clone(&*self.locked()?);
        let unknown = lock.forget(names);
        if !unknown.is_empty() {
            bail!("not in the lock file: {}; `xcbuild lock` shows what is", unknown.join(", "));
        }
        Ok(files::write_atomic(&self.lock_file, lock.render().as_bytes())?)
    }

    /// The file of a package in the store.
    ///
    /// # Errors
    /// When it isn't there: [`Packages::fetch`] comes first.
    pub fn file(&self, package: &Package) -> Result<PathBuf> {
        let path = self.store.blob(&package.sha256)?;
        path.with_context(|| format!("the package `{}` is not in the store", package.id()))
    }

    /// The store that has the files.
    pub fn store(&self) -> &'s Store {
        self.store
    }

    /// apt's state, ours alone until the lock is dropped.
    fn apt(&self) -> Result<(Apt, Lock)> {
        let directory = self.store.directory(Directory::Apt);
        fs::create_dir_all(&directory)?;
        let busy = Lock::exclusive(&directory.join("lock"), self.store.reporter())?;
        Ok((Apt::open(directory, &self.architecture)?, busy))
    }

    fn bring_up_to_date(&self, apt: &Apt, fresh: &mut bool) -> Result<()> {
        if !*fresh {
            self.store.reporter().status("Updating", "the lists of Debian packages");
            apt.update()?;
            *fresh = true;
        }
        Ok(())
    }

    fn missing<'p>(&self, set: &'p PackageSet) -> Result<Vec<&'p Package>> {
        let mut missing = Vec::new();
        for package in &set.packages {
            if self.store.blob(&package.sha256)?.is_none() {
                missing.push(package);
            }
        }
        Ok(missing)
    }

    /// Takes a fetched file into the store, if it is the one that is locked.
    fn take(&self, package: &Package, place: &Path) -> Result<()> {
        let file = fs::File::open(place.join(&package.file))?;
        let mut writer = self.store.writer()?;
        std::io::copy(&mut &file, &mut writer)?;
        let digest = writer.commit()?.digest;
        if digest != package.sha256 {
            bail!(
                "checksum mismatch for {}: the archive now has SHA-256 {digest}, the lock file has {}; `xcbuild lock --update {}` takes the archive's",
                package.id(),
                package.sha256,
                package.name
            );
        }
        Ok(())
    }

    fn status(&self, request: &Request<'_>) -> Result<String> {
        let asked = |name: &&String| !request.wants.contains(name);
        let assumed = request.without.iter().filter(asked);
        let mut paragraphs: Vec<String> =
            assumed.map(|name| status::assumed(name, &self.architecture)).collect();
        for package in request.over.iter().flat_map(|set| &set.packages) {
            let file = self.file(package)?;
            let control = deb::control(fs::File::open(file)?)
                .with_context(|| format!("in `{}`", package.file))?;
            paragraphs.push(status::installed(&control));
        }
        Ok(status::file(&paragraphs))
    }
}

/// A locked package that no source knows at all is gone, too.
fn gone_if_unknown(error: AptError) -> AptError {
    match error {
        AptError::Unknown(names) => AptError::Gone(names),
        other => other,
    }
}

fn question(request: &Request<'_>) -> Result<Question> {
    let all = request.wants.iter().chain(request.without);
    if let Some(bad) = all.into_iter().find(|name| !is_package(name)) {
        bail!("`{bad}` is not a name of a Debian package: give `name` or `name=version`");
    }
    let sorted = |names: &[String]| -> Vec<String> {
        names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    };
    Ok(Question {
        wants: sorted(request.wants),
        without: sorted(request.without),
        over: request.over.map(PackageSet::digest),
    })
}

/// Whether it is `name` or `name=version` by Debian's policy. Names go to apt as arguments: nothing
/// passes that would be an option there, or its `name-` for "remove".
fn is_package(text: &str) -> bool {
    let (name, version) = text.split_once('=').unwrap_or((text, "0"));
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    let in_version = |c: char| c.is_ascii_alphanumeric() || "+-.:~".contains(c);
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(in_name)
        && !name.ends_with('-')
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(in_version)
}

#[cfg(test)]
mod tests;
