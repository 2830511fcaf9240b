//! The host's apt, as a solver and a fetcher, without root and without touching the host.
//!
//! apt gets a state directory of its own and a configuration file that points everything into it;
//! the sources (and proxies, keys, pins) are the host's. So no address of an archive is ever
//! written down here, signatures are checked by apt, and what a company has mirrored is used.
//!
//! ```text
//! apt.conf                 see `configuration`
//! status                   what counts as installed: dpkg's format, written before each question
//! preferences              pins of locked packages
//! lists/, cache/, log/     apt's own
//! ```
//!
//! apt's words are read in the C locale. Errors of the network are distinguished from a package that
//! is gone, as the way on is another.

mod answers;

use std::path::{Path, PathBuf};

use fs_err as fs;

use self::answers::{out_of_space, parse_uris, quoted_after, unreachable, versions_not_found};
use super::lock::Package;
use xc_sys::exec::{Exec, ExecError};

/// Why apt gave no packages.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// The archive can't be reached and there is no older list of what it has.
    #[error(
        "the package archive can't be reached, and nothing of it is known from before; check the network (`apt-get update` says more)"
    )]
    NoNetwork,
    /// The lists are there, the packages can't be fetched.
    #[error("the package archive can't be reached; missing here: {0}")]
    NoFetch(String),
    /// There are no packages of those names.
    #[error("no package in the host's sources (`/etc/apt/sources.list.d`) is named {0}")]
    Unknown(String),
    /// The archive has other versions now.
    #[error("the archive no longer has {0}; `xcbuild lock --update` takes what it has now")]
    Gone(String),
    /// No set of packages satisfies all of them.
    #[error(
        "{0} can't be installed together: packages conflict, or one that they need is missing (`apt-get install --simulate` says more)"
    )]
    Unsatisfiable(String),
    /// The disk is full.
    #[error("no space left for packages in `{}`", .0.display())]
    Space(PathBuf),
    /// apt answered in a way that we can't read.
    #[error("can't read apt's answer: `{0}`")]
    Answer(String),
    /// apt isn't there, or failed otherwise.
    #[error(
        "can't use apt: base images are made of Debian packages, fetched by the host's `apt-get`"
    )]
    Exec(#[source] ExecError),
    /// Its state directory can't be written.
    #[error("can't keep apt's state")]
    Io(#[from] std::io::Error),
}

/// A state directory of apt's.
#[derive(Debug)]
pub(super) struct Apt {
    directory: PathBuf,
    /// The name that apt knows the directory by, where it can't read the real one.
    _alias: Option<Alias>,
}

/// A link to a directory whose path apt's configuration can't hold: its texts are between quotes,
/// and know no way to have one in them.
#[derive(Debug)]
struct Alias {
    link: PathBuf,
    _directory: tempfile::TempDir,
}

impl Alias {
    fn of(directory: &Path) -> Result<Option<Self>, AptError> {
        let is_odd = |text: &str| text.contains(['"', '\n', '\\']);
        if directory.to_str().is_some_and(|text| !is_odd(text)) {
            return Ok(None);
        }
        // Where TMPDIR is odd as well there is still the usual place.
        let usual = std::env::temp_dir();
        let place =
            if usual.to_str().is_some_and(|t| !is_odd(t)) { &usual } else { Path::new("/tmp") };
        let temporary = tempfile::Builder::new().prefix("xcbuild-apt-").tempdir_in(place)?;
        let link = temporary.path().join("state");
        fs::os::unix::fs::symlink(std::path::absolute(directory)?, &link)?;
        Ok(Some(Self { link, _directory: temporary }))
    }
}

impl Apt {
    /// Lays out the state directory.
    ///
    /// # Errors
    /// [`AptError::Io`].
    pub(super) fn open(directory: PathBuf, architecture: &str) -> Result<Self, AptError> {
        for name in ["lists/partial", "cache/archives/partial", "log"] {
            fs::create_dir_all(directory.join(name))?;
        }
        let alias = Alias::of(&directory)?;
        let shown = alias.as_ref().map_or(directory.as_path(), |alias| &alias.link);
        fs::write(directory.join("apt.conf"), configuration(shown, architecture))?;
        fs::write(directory.join("status"), "")?;
        fs::write(directory.join("preferences"), "")?;
        Ok(Self { directory, _alias: alias })
    }

    /// Brings the lists up to date. Sources that can't be reached don't matter while there are
    /// older lists.
    ///
    /// # Errors
    /// [`AptError::NoNetwork`] when there is no list at all.
    pub(super) fn update(&self) -> Result<(), AptError> {
        match self.run(&["-o", "APT::Update::Error-Mode=any", "update"], &self.directory) {
            Ok(_) => Ok(()),
            Err(e @ ExecError::Failed { .. }) if self.has_lists()? => {
                tracing::info!(error = %e, "the lists of packages are old");
                Ok(())
            }
            Err(e) => Err(match e.stderr() {
                words if out_of_space(words) => AptError::Space(self.directory.clone()),
                words if unreachable(words) => AptError::NoNetwork,
                _ => AptError::Exec(e),
            }),
        }
    }

    /// Whether anything is known of what the archive has.
    pub(super) fn has_lists(&self) -> Result<bool, AptError> {
        for entry in fs::read_dir(self.directory.join("lists"))? {
            if entry?.file_name().to_string_lossy().contains("_Packages") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The packages that have to come in, given what counts as installed and which versions are
    /// pinned.
    ///
    /// # Errors
    /// [`AptError`].
    pub(super) fn resolve(
        &self,
        wants: &[String],
        status: &str,
        pins: &[&Package],
    ) -> Result<Vec<Package>, AptError> {
        fs::write(self.directory.join("status"), status)?;
        fs::write(self.directory.join("preferences"), preferences(pins))?;
        let mut arguments = vec!["--print-uris", "install"];
        arguments.extend(wants.iter().map(String::as_str));
        let answer = self.run(&arguments, &self.directory).map_err(|e| self.explain(e, wants))?;
        parse_uris(&String::from_utf8_lossy(&answer))
    }

    /// Fetches exactly those packages into a directory; apt checks their digests.
    ///
    /// # Errors
    /// [`AptError`].
    pub(super) fn download(&self, packages: &[&Package], into: &Path) -> Result<(), AptError> {
        let ids: Vec<String> = packages.iter().map(|p| p.id()).collect();
        let mut arguments = vec!["download"];
        arguments.extend(ids.iter().map(String::as_str));
        self.run(&arguments, into).map(drop).map_err(|e| self.explain(e, &ids))
    }

    fn run(&self, arguments: &[&str], directory: &Path) -> Result<Vec<u8>, ExecError> {
        Exec::new("apt-get")
            .arg("-qq")
            .arg("-c")
            .arg(self.directory.join("apt.conf"))
            .args(arguments)
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .cwd(directory)
            .output()
    }

    fn explain(&self, error: ExecError, wanted: &[String]) -> AptError {
        let words = error.stderr();
        let unknown = quoted_after(words, "E: Unable to locate package ")
            .chain(quoted_after(words, "E: Package "))
            .collect::<Vec<_>>();
        let gone: Vec<String> = versions_not_found(words);
        if !gone.is_empty() {
            AptError::Gone(gone.join(", "))
        } else if !unknown.is_empty() {
            AptError::Unknown(unknown.join(", "))
        } else if out_of_space(words) {
            AptError::Space(self.directory.clone())
        } else if unreachable(words) {
            AptError::NoFetch(wanted.join(", "))
        } else if words.contains("held broken packages") || words.contains("unmet dep") {
            AptError::Unsatisfiable(wanted.join(", "))
        } else {
            AptError::Exec(error)
        }
    }
}

/// apt's configuration: everything into the directory, nothing of the host's hooks. It is given
/// with `-c`, as only there `#clear` removes what the host's configuration has set.
fn configuration(directory: &Path, architecture: &str) -> String {
    let place = |name: &str| directory.join(name).display().to_string();
    let settings = [
        ("Dir::State", place("")),
        ("Dir::State::lists", place("lists")),
        ("Dir::State::status", place("status")),
        ("Dir::State::extended_states", place("extended_states")),
        ("Dir::Log", place("log")),
        ("Dir::Cache", place("cache")),
        ("Dir::Cache::archives", place("cache/archives")),
        ("Dir::Etc::preferences", place("preferences")),
        // We lock by ourselves; a user's own apt goes on at the same time.
        ("Debug::NoLocking", "1".to_owned()),
        // Dropping root for a download would need a directory that `_apt` may write.
        ("APT::Sandbox::User", String::new()),
        // Without it the answer names MD5 sums.
        ("Acquire::ForceHash", "SHA256".to_owned()),
        ("Acquire::Languages", "none".to_owned()),
        ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".to_owned()),
        ("Acquire::Retries", "2".to_owned()),
        ("Acquire::http::Timeout", "20".to_owned()),
        ("Acquire::https::Timeout", "20".to_owned()),
        ("APT::Install-Recommends", "0".to_owned()),
        ("APT::Install-Suggests", "0".to_owned()),
        ("APT::Architecture", architecture.to_owned()),
    ];
    let mut text: String = settings.iter().map(|(k, v)| format!("{k} \"{v}\";\n")).collect();
    text += &format!("#clear APT::Architectures;\nAPT::Architectures {{ \"{architecture}\"; }};\n");
    for hook in [
        "APT::Update::Pre-Invoke",
        "APT::Update::Post-Invoke",
        "APT::Update::Post-Invoke-Success",
        "DPkg::Post-Invoke",
        "DPkg::Pre-Install-Pkgs",
    ] {
        text += &format!("#clear {hook};\n");
    }
    text
}

/// Versions that are locked stay while the archive has them; where it doesn't, a pin says nothing.
fn preferences(pins: &[&Package]) -> String {
    let pin = |p: &&Package| {
        format!("Package: {}\nPin: version {}\nPin-Priority: 990\n\n", p.name, p.version)
    };
    pins.iter().map(pin).collect()
}

#[cfg(test)]
mod tests;
