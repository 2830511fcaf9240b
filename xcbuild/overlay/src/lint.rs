//! What is probably wrong with an overlay, beyond what keeps it from being built.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;
use walkdir::WalkDir;
use xc_store::tree::{Modes, from_directory};

use super::find::{SCRIPT_NAME, Source};
use super::manifest::template::variables;
use super::manifest::{FILE_NAME, Manifest};
use super::merged;
use super::plan::Planned;

/// The page that says what an overlay is for.
const README: &str = "README.md";
/// The script that does what the manifest says, for scripts that call it.
const FORWARD: &[u8] = include_bytes!("../../../templates/forward/tar");
/// The longest description that an index page shows well, in characters.
const DESCRIPTION_MAX: usize = 100;

/// Something that is probably wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where.
    pub path: PathBuf,
    /// What, and what would be right.
    pub message: String,
}

/// Looks an overlay over.
///
/// # Errors
/// When it can't be read. A manifest that is wrong was an error before.
pub fn lint(planned: &Planned) -> Result<Vec<Finding>> {
    let (Source::Manifest(directory) | Source::Script(directory)) = &planned.overlay.source else {
        return Ok(Vec::new());
    };
    let mut findings = Findings { directory, list: Vec::new() };
    if !directory.join(README).is_file() {
        findings.add(README, "is missing: say what the overlay is for and how it is used");
    }
    if let Some(manifest) = &planned.manifest {
        of_manifest(manifest, &mut findings);
    }
    of_files(&mut findings)?;
    of_trees(&mut findings)?;
    findings.list.sort();
    Ok(findings.list)
}

struct Findings<'a> {
    directory: &'a Path,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, path: impl AsRef<Path>, message: impl Into<String>) {
        self.list.push(Finding { path: self.directory.join(path), message: message.into() });
    }
}

fn of_manifest(manifest: &Manifest, findings: &mut Findings<'_>) {
    let description = manifest.description.trim();
    if description.is_empty() || description.chars().count() > DESCRIPTION_MAX {
        let most = format!("the description has to be 1 to {DESCRIPTION_MAX} characters long");
        findings.add(FILE_NAME, most);
    }
    if manifest.test.is_none() {
        findings.add(FILE_NAME, "has no [test]: how does a node show that the overlay works?");
    }
    let script = findings.directory.join(SCRIPT_NAME);
    if script.exists() && !fs::read(&script).is_ok_and(|text| text == FORWARD) {
        findings.add(SCRIPT_NAME, "is never run, since ovl.toml is there: remove one of them");
    }
    let script = manifest.script.iter().flat_map(|s| &s.variables).map(|v| v.get_ref().as_str());
    let trees = manifest.trees();
    let texts = trees.iter().map(|t| t.template);
    let files = manifest.files.iter().flat_map(|f| [&f.template, &f.host]).flatten();
    let used: Vec<&str> = texts
        .chain(files.map(|t| t.get_ref().as_str()))
        .flat_map(variables)
        .chain(script)
        .collect();
    let templates = manifest.files.iter().any(|f| f.from.is_some());
    for name in manifest.variables.keys().map(|k| k.get_ref()) {
        if !templates && !used.contains(&name.as_str()) {
            findings.add(FILE_NAME, format!("declares the variable `{name}`, which nothing uses"));
        }
    }
}

fn of_files(findings: &mut Findings<'_>) -> Result<()> {
    let directory = findings.directory;
    for found in WalkDir::new(directory).min_depth(1).sort_by_file_name() {
        let found = found.map_err(std::io::Error::from)?;
        let inside = found.path().strip_prefix(directory)?.to_path_buf();
        let name = found.file_name().as_bytes();
        if name.ends_with(b"~") || name.ends_with(b".orig") || name.ends_with(b".swp") {
            findings.add(&inside, "is a left-over of an editor");
        }
        if !found.file_type().is_file() {
            continue;
        }
        let executable = fs::metadata(found.path())?.permissions().mode() & 0o100 != 0;
        let in_init = inside.parent().is_some_and(|p| p.ends_with("etc/init.d"));
        if in_init && name.ends_with(b".rc") && !executable {
            findings.add(&inside, "is not executable, so no node runs it: chmod +x");
        } else if !executable && in_bin(&inside) && starts_as_script(found.path())? {
            findings.add(&inside, "is a script that is not executable: chmod +x");
        }
    }
    Ok(())
}

/// Each directory of the overlay may be put on a node's `/`.
fn of_trees(findings: &mut Findings<'_>) -> Result<()> {
    for found in fs::read_dir(findings.directory)? {
        let found = found?;
        if !found.file_type()?.is_dir() {
            continue;
        }
        // What can't be read is an error of the build.
        let Ok(tree) = from_directory(&found.path(), Modes::Checkout) else { continue };
        for (path, message) in merged::findings(tree) {
            let path = Path::new(OsStr::from_bytes(path.as_bytes()));
            findings.add(Path::new(&found.file_name()).join(path), message);
        }
    }
    Ok(())
}

fn in_bin(path: &Path) -> bool {
    path.parent().is_some_and(|p| p.ends_with("bin") || p.ends_with("sbin"))
}

fn starts_as_script(path: &Path) -> Result<bool> {
    let mut start = [0; 2];
    let got = fs::File::open(path)?.read(&mut start)?;
    Ok(&start[..got] == b"#!")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::lint;
    use crate::Search;
    use crate::plan::Planned;

    #[test]
    fn findings_say_what_would_be_right() {
        let dir = tempfile::tempdir().unwrap();
        let overlay = dir.path().join("o");
        for (path, text) in [
            ("ovl.toml", "description = ''\n[variables]\nUNUSED = ''\n"),
            ("tar", ""),
            ("default/etc/init.d/50o.rc", "#! /bin/sh\n"),
            ("default/bin/run", "#! /bin/sh\n"),
            ("default/bin/data", "data\n"),
            ("default/etc/x~", ""),
            ("default/usr/bin/data", "other\n"),
            ("other/sbin/sub/file", ""),
            ("other/usr/sbin/sub", ""),
        ] {
            std::fs::create_dir_all(overlay.join(path).parent().unwrap()).unwrap();
            std::fs::write(overlay.join(path), text).unwrap();
        }
        let places = vec![dir.path().to_path_buf()];
        let search = Search { directories: places, current: dir.path().to_path_buf() };
        let findings = lint(&Planned::find(&search, "o").unwrap()).unwrap();
        let shown = |path: &Path| path.strip_prefix(&overlay).unwrap().display().to_string();
        let lines: Vec<String> =
            findings.iter().map(|f| format!("{}: {}", shown(&f.path), f.message)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
    README.md: is missing: say what the overlay is for and how it is used
    default/bin/data: is the same path in a node as usr/bin/data, which differs and is taken
    default/bin/run: is a script that is not executable: chmod +x
    default/etc/init.d/50o.rc: is not executable, so no node runs it: chmod +x
    default/etc/x~: is a left-over of an editor
    other/sbin/sub: can't be in a node: `/sbin/sub` and `/usr/sbin/sub` are one path in a node, but only one of them is a directory
    ovl.toml: declares the variable `UNUSED`, which nothing uses
    ovl.toml: has no [test]: how does a node show that the overlay works?
    ovl.toml: the description has to be 1 to 100 characters long
    tar: is never run, since ovl.toml is there: remove one of them
    ");
    }

    /// The overlays that we carry are the examples.
    #[test]
    fn our_own_overlays_have_no_findings() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ovl");
        let search = Search { directories: vec![place.clone()], current: place };
        let overlays = search.all();
        assert!(overlays.len() >= 6);
        for overlay in overlays {
            let findings = lint(&Planned::find(&search, &overlay.name).unwrap()).unwrap();
            assert_eq!(findings, [], "{}", overlay.name);
        }
    }
}
