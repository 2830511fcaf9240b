//! `mkovl`: a new overlay from a template.
//!
//! In the names and contents of a template's files `@NAME@` stands for the overlay's name.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use fs_err as fs;
use walkdir::WalkDir;

use xc_report::suggest::did_you_mean;

/// What stands for the name.
const NAME: &str = "@NAME@";
/// The default template.
pub const DEFAULT: &str = "plain";
/// A directory among the templates that is none.
const BASE: &str = "base";

/// Makes an overlay of a name in a directory, and gives its path.
///
/// # Errors
/// A bad name, an unknown template, an overlay that is there already.
pub fn create(templates: &Path, template: &str, name: &str, directory: &Path) -> Result<PathBuf> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.bytes().all(fits) {
        bail!("`{name}` is not a name for an overlay: letters, digits and `-_.+`");
    }
    let from = templates.join(template);
    if template == BASE || !from.join(super::manifest::FILE_NAME).is_file() {
        return Err(unknown(templates, template));
    }
    let to = directory.join(name);
    if to.exists() {
        bail!("`{}` is there already", to.display());
    }
    // Made under another name and renamed, so that it is there whole or not at all.
    fs::create_dir_all(directory)?;
    let half = tempfile::Builder::new().prefix(".tmp-").tempdir_in(directory)?;
    copy(&from, &half.path().join(name), name)?;
    fs::rename(half.path().join(name), &to)?;
    Ok(to)
}

/// The names of the templates.
///
/// # Errors
/// When they can't be listed.
pub fn templates(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_template = entry.path().join(super::manifest::FILE_NAME).is_file();
        if let Some(name) = entry.file_name().to_str().filter(|_| is_template) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn unknown(directory: &Path, template: &str) -> anyhow::Error {
    let names = templates(directory).unwrap_or_default();
    let near = did_you_mean(template, names.iter().map(String::as_str));
    anyhow::anyhow!("there is no template `{template}`{near}; there are: {}", names.join(", "))
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<()> {
    for found in WalkDir::new(from) {
        let found = found.map_err(std::io::Error::from)?;
        let inside = found.path().strip_prefix(from)?.to_string_lossy().replace(NAME, name);
        let place = to.join(inside);
        if found.file_type().is_dir() {
            fs::create_dir(&place)?;
        } else {
            let text = fs::read_to_string(found.path())?.replace(NAME, name);
            fs::write(&place, text)?;
            // Ours may be read-only, and should be writable to their new owner.
            let mode = fs::metadata(found.path())?.permissions().mode() | 0o200;
            fs::set_permissions(&place, PermissionsExt::from_mode(mode))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use xc_report::Reporter;

    use super::{create, templates};
    use crate::build::layers;
    use crate::lint::lint;
    use crate::plan::{Planned, plan};
    use crate::{Params, Search};
    use xc_store::store::Store;

    fn ours() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates")
    }

    #[test]
    fn every_template_makes_an_overlay_that_builds_and_has_no_findings() {
        let dir = tempfile::tempdir().unwrap();
        let overlays = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ovl");
        let places = vec![dir.path().to_path_buf(), overlays];
        let search = Search { directories: places, current: dir.path().to_path_buf() };
        let params = Params { search, programs: "/usr/bin:/bin".into(), ..Params::default() };
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        for template in templates(&ours()).unwrap() {
            let name = format!("my-{template}");
            let made = create(&ours(), &template, &name, dir.path()).unwrap();
            assert_eq!(made, dir.path().join(&name));
            assert!(made.join(format!("default/bin/{name}_test")).is_file());
            let planned = Planned::find(&params.search, &name).unwrap();
            assert_eq!(lint(&planned).unwrap(), [], "{template}");
            layers(&plan(&params.search, &[&name]).unwrap(), &params, &store).unwrap();
            let e = create(&ours(), &template, &name, dir.path()).unwrap_err();
            assert!(e.to_string().ends_with("is there already"), "{e}");
        }
    }

    #[test]
    fn bad_names_and_unknown_templates_are_told() {
        let dir = tempfile::tempdir().unwrap();
        for (template, name, message) in [
            ("plain", "../x", "`../x` is not a name for an overlay"),
            ("plan", "x", "there is no template `plan`; did you mean `plain`?"),
            ("base", "x", "there is no template `base`"),
        ] {
            let e = create(&ours(), template, name, dir.path()).unwrap_err().to_string();
            assert!(e.contains(message), "{e}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
