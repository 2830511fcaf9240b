//! What overlays are built with, from the settings.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use xc_overlay::embedded::Embedded;
use xc_overlay::find::from_root;
use xc_overlay::{Params, Search};
use xc_store::store::Store;

use crate::settings::definition::Definition;
use crate::settings::{Settings, exported, table};

/// What the settings say. `current` is the directory that relative paths start from, `program`
/// is what scripts call as `$XCLUSTER`.
///
/// # Errors
/// When our own overlays can't be written to the store's directory.
pub(crate) fn of(
    settings: &Settings,
    store: &Store,
    current: &Path,
    program: &Path,
) -> Result<Params> {
    let ours = Embedded::Overlays.directory(store.layout())?;
    let mut script_environment = script_environment(settings, program);
    if settings.places.overlays.is_empty() {
        script_environment.insert("XCLUSTER_OVLPATH".into(), ours.display().to_string());
    }
    for (_, value) in script_environment.iter_mut().filter(|(n, _)| is_path(n)) {
        *value = absolute(current, value);
    }
    Ok(Params {
        search: Search::new(settings.places.overlays.iter().cloned().chain([ours]), current),
        variables: settings.variables().clone(),
        script_environment,
        passed: exported::passed(),
        archive: current.join(&settings.places.archive),
        programs: settings.host()?.path.into(),
        base_image: current.join(&settings.places.image),
        package_lock: settings.places.package_lock(),
        script_timeout: settings.build.script_timeout,
        unpack_max: settings.build.unpack_max,
        untraced: settings.build.trace.as_deref() == Some("off"),
    })
}

/// A path, or a list of them, from the root on.
fn absolute(current: &Path, value: &str) -> String {
    let each = value.split(':').map(|path| match path {
        "" => String::new(),
        path => from_root(current, Path::new(path)).display().to_string(),
    });
    each.collect::<Vec<_>>().join(":")
}

/// Whether a variable of scripts is a path or a list of them. A user may give those from where the
/// user is; a script is elsewhere.
fn is_path(name: &str) -> bool {
    table::find(name).is_some_and(Definition::is_path)
}

fn script_environment(settings: &Settings, program: &Path) -> BTreeMap<String, String> {
    let mut environment = settings.of_scripts();
    // What scripts call as `$XCLUSTER` works on the same store.
    environment.insert("XCBUILD_STORE".into(), settings.places.store.display().to_string());
    environment.insert("XCLUSTER".into(), program.display().to_string());
    environment
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{absolute, script_environment};
    use crate::settings::{Settings, Variables};

    #[test]
    fn paths_are_from_the_root_on() {
        let rows = [("/a:/b", "/a:/b"), (".:../x::y/", "/w:/w/../x::/w/y"), ("", "")];
        for (given, expected) in rows {
            assert_eq!(absolute(Path::new("/w"), given), expected);
        }
    }

    #[test]
    fn scripts_get_the_contract_and_nothing_else() {
        let pairs = [
            ("HOME", "/h"),
            ("SETUP", "a,b"),
            ("__nvm", "3"),
            ("xcluster_TZ", "UTC"),
            ("LD_PRELOAD", "x"),
            ("LANG", "de"),
        ];
        let settings = Settings::resolve(Variables::from_pairs(pairs)).unwrap();
        let environment = script_environment(&settings, Path::new("/bin/xcbuild"));
        for (name, value) in [
            ("XCLUSTER", "/bin/xcbuild"),
            ("XCBUILD_STORE", "/h/.cache/xcbuild"),
            ("ARCHIVE", "/h/Downloads"),
            ("SETUP", "a,b"),
            ("__nvm", "3"),
            ("__mem", "128"),
            ("xcluster_TZ", "UTC"),
        ] {
            assert_eq!(environment.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!environment.contains_key("LD_PRELOAD") && !environment.contains_key("LANG"));
    }
}
