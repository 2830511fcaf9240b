//! What overlays are built with, from the settings.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use xc_overlay::embedded::Embedded;
use xc_overlay::find::from_root;
use xc_overlay::params::is_passed;
use xc_overlay::{Params, Search};
use xc_store::store::Store;

use crate::settings::Settings;

/// Variables of scripts that are paths or lists of them. A user may give them from where he stands;
/// a script stands elsewhere.
const PATHS: &[&str] = &[
    "ARCHIVE",
    "DISKIM",
    "GOPATH",
    "HOME",
    "KERNELDIR",
    "XCBUILD_STORE",
    "XCLUSTER_HOME",
    "XCLUSTER_HOOK",
    "XCLUSTER_OVLPATH",
    "XCLUSTER_WORKSPACE",
    "__base_libs",
    "__cached",
    "__cdrom",
    "__image",
    "__kbin",
    "__kcfg",
    "__kobj",
];

/// What the settings say. `current` is the directory that relative paths start from, `program`
/// is what scripts call as `$XCLUSTER`.
///
/// # Errors
/// When our own overlays can't be written to the store's directory.
pub fn of(settings: &Settings, store: &Store, current: &Path, program: &Path) -> Result<Params> {
    let ours = Embedded::Overlays.directory(store.layout())?;
    let mut script_environment = script_environment(settings, program);
    if settings.places.overlays.is_empty() {
        script_environment.insert("XCLUSTER_OVLPATH".into(), ours.display().to_string());
    }
    for (_, value) in script_environment.iter_mut().filter(|(n, _)| PATHS.contains(&n.as_str())) {
        *value = absolute(current, value);
    }
    Ok(Params {
        search: Search::new(settings.places.overlays.iter().cloned().chain([ours]), current),
        variables: settings.variables.clone(),
        script_environment,
        archive: current.join(&settings.places.archive),
        programs: settings.variables.or("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").into(),
        package_lock: settings.places.package_lock(),
        script_timeout: settings.build.script_timeout,
        unpack_max: settings.build.unpack_max,
        untraced: settings.build.untraced,
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

fn script_environment(settings: &Settings, program: &Path) -> BTreeMap<String, String> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let contract = settings.contract().into_iter().map(|(name, value)| (name.to_owned(), value));
    let users = settings.variables.iter().filter(|(name, _)| is_passed(name)).map(own);
    // What scripts call as `$XCLUSTER` works on the same store.
    let own = [
        ("XCBUILD_STORE".to_owned(), settings.places.store.display().to_string()),
        ("XCLUSTER".to_owned(), program.display().to_string()),
    ];
    contract.chain(users).chain(own).collect()
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
