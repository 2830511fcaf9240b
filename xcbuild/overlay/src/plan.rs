//! From the names on a command line to overlays in their order.
//!
//! One that is named twice is taken once, at its first place. One that another needs comes directly
//! before the one that needs it, unless it is named further before: the contract's order puts `test`
//! last, and overlays that need it still get it first.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::find::{Overlay, Search, Source};
use super::manifest::{self, FILE_NAME, Manifest};

/// An overlay at its place.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The overlay.
    pub overlay: Overlay,
    /// Its manifest, if it has one.
    pub manifest: Option<Manifest>,
    /// The overlay that needs it, if it was not named.
    pub needed_by: Option<String>,
}

impl Planned {
    /// Finds an overlay and reads its manifest.
    ///
    /// # Errors
    /// When there is none of that name, or its manifest is wrong.
    pub fn find(search: &Search, name: &str) -> Result<Self> {
        let overlay = search.find(name)?;
        let manifest = match &overlay.source {
            Source::Manifest(directory) => {
                let file = directory.join(FILE_NAME);
                let text = fs::read_to_string(&file)?;
                Some(manifest::parse(&file.display().to_string(), &text)?)
            }
            Source::Script(_) | Source::Tar(_) => None,
        };
        Ok(Self { overlay, manifest, needed_by: None })
    }
}

/// The overlays of those names, in order, with what they need.
///
/// # Errors
/// When one is unknown or wrong, when two conflict, or when their dependencies are a cycle.
pub fn plan<S: AsRef<str>>(search: &Search, names: &[S]) -> Result<Vec<Planned>> {
    let mut plan = Plan { search, done: Vec::new(), under_way: Vec::new() };
    // By these it is known which came in without being named.
    let named =
        names.iter().map(|n| search.find(n.as_ref()).map(|o| o.source.path().to_path_buf()));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    for name in names {
        plan.add(name.as_ref(), None, &named)?;
    }
    check_conflicts(&plan.done)?;
    Ok(plan.done)
}

struct Plan<'a> {
    search: &'a Search,
    done: Vec<Planned>,
    under_way: Vec<String>,
}

impl Plan<'_> {
    fn add(&mut self, name: &str, needed_by: Option<&str>, named: &[PathBuf]) -> Result<()> {
        let mut planned = Planned::find(self.search, name)?;
        let path = planned.overlay.source.path().to_path_buf();
        if self.done.iter().any(|p| p.overlay.source.path() == path) {
            return Ok(());
        }
        if self.under_way.contains(&planned.overlay.name) {
            bail!("dependency cycle: {} -> {name}", self.under_way.join(" -> "));
        }
        self.under_way.push(planned.overlay.name.clone());
        let needs = planned.manifest.iter().flat_map(|m| m.needs.clone());
        for need in needs.collect::<Vec<_>>() {
            let by = &planned.overlay.name;
            self.add(&need.0, Some(by), named)
                .with_context(|| format!("`{by}` needs the overlay `{}`", need.0))?;
        }
        self.under_way.pop();
        planned.needed_by = needed_by.filter(|_| !named.contains(&path)).map(ToOwned::to_owned);
        self.done.push(planned);
        Ok(())
    }
}

fn check_conflicts(plan: &[Planned]) -> Result<()> {
    for planned in plan {
        for conflict in planned.manifest.iter().flat_map(|m| &m.conflicts) {
            if plan.iter().any(|other| other.overlay.name == conflict.0) {
                bail!("`{}` can't be used together with `{}`", planned.overlay.name, conflict.0);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Search, plan};

    fn search(overlays: &[(&str, &str)]) -> (tempfile::TempDir, Search) {
        let dir = tempfile::tempdir().unwrap();
        for (name, fields) in overlays {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            let text = format!("description = 'x'\n{fields}");
            std::fs::write(dir.path().join(name).join("ovl.toml"), text).unwrap();
        }
        let place = dir.path().to_path_buf();
        (dir, Search { directories: vec![place.clone()], current: place })
    }

    fn order(overlays: &[(&str, &str)], names: &[&str]) -> Result<Vec<String>, String> {
        let (_dir, search) = search(overlays);
        let planned = plan(&search, names).map_err(|e| xc_report::causes(&e))?;
        Ok(planned.into_iter().map(|p| p.overlay.name).collect())
    }

    const OVERLAYS: &[(&str, &str)] = &[
        ("a", ""),
        ("b", "needs = ['a']"),
        ("c", "needs = ['b', 'd']"),
        ("d", "conflicts = ['e']"),
        ("e", ""),
        ("x", "needs = ['y']"),
        ("y", "needs = ['x']"),
        ("z", "needs = ['aa']"),
    ];

    #[test]
    fn order_is_the_users_and_needs_come_before() {
        for (names, expected) in [
            (&["a", "e", "a", "./a"][..], &["a", "e"][..]),
            (&["c"], &["a", "b", "d", "c"]),
            (&["e", "b"], &["e", "a", "b"]),
            (&["a", "e", "b"], &["a", "e", "b"]),
            (&["b", "e", "a"], &["a", "b", "e"]),
        ] {
            assert_eq!(order(OVERLAYS, names).unwrap(), expected, "{names:?}");
        }
    }

    #[test]
    fn what_cannot_be_together_is_told() {
        for (names, message) in [
            (&["c", "e"][..], "`d` can't be used together with `e`"),
            (&["x"], "dependency cycle: x -> y -> x"),
            (&["z"], "`z` needs the overlay `aa`: there is no overlay `aa`"),
        ] {
            let e = order(OVERLAYS, names).unwrap_err();
            assert!(e.contains(message), "{e}");
        }
    }
}
