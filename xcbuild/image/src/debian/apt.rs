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

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::lock::Package;
use xc_store::key::Digest;
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
        fs::write(directory.join("apt.conf"), configuration(&directory, architecture))?;
        fs::write(directory.join("status"), "")?;
        fs::write(directory.join("preferences"), "")?;
        Ok(Self { directory })
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

/// Reads `--print-uris`: lines of `'URI' file size SHA256:digest`. The address is left out.
fn parse_uris(answer: &str) -> Result<Vec<Package>, AptError> {
    let lines = answer.lines().filter(|l| l.starts_with('\''));
    lines.map(|l| parse_uri(l).ok_or_else(|| AptError::Answer(without_address(l)))).collect()
}

fn parse_uri(line: &str) -> Option<Package> {
    let (_, rest) = line.rsplit_once("' ")?;
    let mut words = rest.split(' ');
    let (file, size, hash) = (words.next()?, words.next()?, words.next()?);
    // name_version_architecture.deb; a colon in the version is written %3a.
    let mut parts = file.strip_suffix(".deb")?.split('_');
    let (name, version, architecture) = (parts.next()?, parts.next()?, parts.next()?);
    let digest: Digest = hash.strip_prefix("SHA256:")?.parse().ok()?;
    Some(Package {
        name: name.to_owned(),
        version: version.replace("%3a", ":"),
        architecture: architecture.to_owned(),
        file: file.to_owned(),
        size: size.parse().ok()?,
        sha256: digest,
    })
}

fn without_address(line: &str) -> String {
    line.rsplit_once("' ").map_or(line, |(_, rest)| rest).to_owned()
}

/// The words (without quotes) that follow a beginning, one per line that has it.
fn quoted_after<'w>(words: &'w str, start: &'static str) -> impl Iterator<Item = &'w str> {
    let named = move |l: &'w str| l.strip_prefix(start)?.split_whitespace().next();
    words.lines().filter_map(named).map(|name| name.trim_matches('\''))
}

/// The packages of lines like `E: Version '9' for 'jq' was not found`.
fn versions_not_found(words: &str) -> Vec<String> {
    let parse = |line: &str| {
        let rest = line.strip_prefix("E: Version '")?;
        let (version, rest) = rest.split_once("' for '")?;
        let (name, _) = rest.split_once("' was not found")?;
        Some(format!("{name}={version}"))
    };
    words.lines().filter_map(parse).collect()
}

fn unreachable(words: &str) -> bool {
    const SIGNS: &[&str] = &[
        "Temporary failure resolving",
        "Could not resolve",
        "Could not connect",
        "Cannot initiate the connection",
        "Connection failed",
        "Connection timed out",
        "Unable to connect",
        "Network is unreachable",
    ];
    SIGNS.iter().any(|sign| words.contains(sign))
}

fn out_of_space(words: &str) -> bool {
    words.contains("enough free space") || words.contains("No space left on device")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{configuration, parse_uris, preferences, unreachable, versions_not_found};

    const HASH: &str = "44ac9aaae0105bca66ea4d457852bf97020ccab33d5c088b0e5c8668891290a0";

    #[test]
    fn answers_are_read_without_their_address() {
        let answer = format!(
            "Reading…\n'http://archive.example/pool/b/busybox_1%3a1.35.0-4+b1_amd64.deb' \
             busybox_1%3a1.35.0-4+b1_amd64.deb 928188 SHA256:{HASH}\n"
        );
        let packages = parse_uris(&answer).unwrap();
        assert_eq!(packages[0].id(), "busybox=1:1.35.0-4+b1");
        assert_eq!(packages[0].architecture, "amd64");
        assert_eq!((packages.len(), packages[0].size), (1, 928_188));
        let md5 = "'http://archive.example/x' x_1_all.deb 1 MD5Sum:00\n";
        let error = parse_uris(md5).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"can't read apt's answer: `x_1_all.deb 1 MD5Sum:00`");
    }

    #[test]
    fn apt_is_told_to_stay_in_its_directory() {
        let text = configuration(Path::new("/s/apt"), "amd64");
        let outside = |l: &&str| l.starts_with("Dir::") && !l.contains("\"/s/apt/");
        assert_eq!(text.lines().filter(outside).count(), 0, "{text}");
        for line in [
            "Dir::State::status \"/s/apt/status\";",
            "APT::Sandbox::User \"\";",
            "Acquire::ForceHash \"SHA256\";",
            "#clear APT::Architectures;",
            "APT::Architectures { \"amd64\"; };",
            "#clear DPkg::Post-Invoke;",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        let answer = format!("'u' a_1_all.deb 1 SHA256:{HASH}\n");
        let packages = parse_uris(&answer).unwrap();
        insta::assert_snapshot!(preferences(&[&packages[0]]), @"
        Package: a
        Pin: version 1
        Pin-Priority: 990
        ");
    }

    #[test]
    fn errors_are_told_apart() {
        let words =
            "E: Version '9' for 'jq' was not found\nE: Version '7' for 'kmod' was not found";
        assert_eq!(versions_not_found(words), ["jq=9", "kmod=7"]);
        assert!(unreachable("E: Failed to fetch … Temporary failure resolving 'archive.example'"));
        assert!(!unreachable("E: Version '9' for 'jq' was not found"));
    }
}
