//! What apt says, read in the C locale.

use super::AptError;
use crate::debian::lock::Package;
use xc_store::key::Digest;

/// Reads `--print-uris`: lines of `'URI' file size SHA256:digest`. The address is left out.
pub(super) fn parse_uris(answer: &str) -> Result<Vec<Package>, AptError> {
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
pub(super) fn quoted_after<'w>(
    words: &'w str,
    start: &'static str,
) -> impl Iterator<Item = &'w str> {
    let named = move |l: &'w str| l.strip_prefix(start)?.split_whitespace().next();
    words.lines().filter_map(named).map(|name| name.trim_matches('\''))
}

/// The packages of lines like `E: Version '9' for 'jq' was not found`.
pub(super) fn versions_not_found(words: &str) -> Vec<String> {
    let parse = |line: &str| {
        let rest = line.strip_prefix("E: Version '")?;
        let (version, rest) = rest.split_once("' for '")?;
        let (name, _) = rest.split_once("' was not found")?;
        Some(format!("{name}={version}"))
    };
    words.lines().filter_map(parse).collect()
}

pub(super) fn unreachable(words: &str) -> bool {
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

pub(super) fn out_of_space(words: &str) -> bool {
    words.contains("enough free space") || words.contains("No space left on device")
}
