//! Everything that programs need, by following what each object names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::object::{ElfError, Object};
use super::search::Directories;

/// What programs need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    /// The libraries, by the paths under which the loader finds them.
    pub libraries: BTreeSet<PathBuf>,
    /// The loaders that the programs ask for.
    pub loaders: BTreeSet<PathBuf>,
    /// Libraries that were not found, each with an object that names it.
    pub missing: BTreeMap<String, PathBuf>,
}

/// An object that is to be looked into, with the `DT_RPATH`s of those that loaded it.
struct Waiting {
    path: PathBuf,
    object: Object,
    inherited: Vec<PathBuf>,
}

/// The libraries of files and of their libraries. Files that are no ELF objects need none.
///
/// # Errors
/// When a file can't be read or is damaged.
pub fn closure(files: &[PathBuf], directories: &Directories) -> Result<Closure, ElfError> {
    let mut closure = Closure::default();
    let mut waiting = VecDeque::new();
    let mut seen = BTreeSet::new();
    for path in files {
        if let Some(object) = Object::read(path)? {
            closure.loaders.extend(object.interpreter.clone());
            waiting.push_back(Waiting { path: path.clone(), object, inherited: Vec::new() });
        }
    }
    while let Some(next) = waiting.pop_front() {
        let rpath = rpath(&next);
        for name in &next.object.needs {
            let Some((path, object)) = find(name, &next.object, &rpath, directories)? else {
                closure.missing.entry(name.clone()).or_insert_with(|| next.path.clone());
                continue;
            };
            closure.libraries.insert(path.clone());
            if seen.insert((path.clone(), rpath.clone())) {
                waiting.push_back(Waiting { path, object, inherited: rpath.clone() });
            }
        }
    }
    Ok(closure)
}

/// The `DT_RPATH`s that count for what an object names and what that names in turn.
fn rpath(waiting: &Waiting) -> Vec<PathBuf> {
    let Waiting { object, inherited, .. } = waiting;
    if !object.runpath.is_empty() {
        return Vec::new();
    }
    let mut all = object.rpath.clone();
    all.extend(inherited.iter().filter(|p| !object.rpath.contains(p)).cloned());
    all
}

fn find(
    name: &str,
    by: &Object,
    rpath: &[PathBuf],
    directories: &Directories,
) -> Result<Option<(PathBuf, Object)>, ElfError> {
    if name.contains('/') {
        return candidate(Path::new(name), by);
    }
    let own = rpath.iter().chain(&by.runpath).map(PathBuf::as_path);
    for directory in own.chain(directories.iter()) {
        if let Some(found) = candidate(&directory.join(name), by)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn candidate(path: &Path, by: &Object) -> Result<Option<(PathBuf, Object)>, ElfError> {
    if !path.is_file() {
        return Ok(None);
    }
    // A file of another machine is passed over, as is one that is not an object at all.
    let object = Object::read(path)?.filter(|o| o.kind == by.kind);
    Ok(object.map(|object| (path.to_path_buf(), object)))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Closure, Directories, closure};
    use xc_sys::exec::Exec;

    fn host(program: &str) -> Closure {
        closure(&[PathBuf::from(program)], &Directories::of_host()).unwrap()
    }

    /// The loader itself is the judge: `ldd` asks it.
    #[test]
    fn same_as_the_loader_says() {
        for program in ["/bin/ls", "/usr/bin/git", "/usr/bin/gcc", "/usr/bin/python3"] {
            if !Path::new(program).exists() {
                continue;
            }
            let said = Exec::new("ldd").arg(program).output().unwrap();
            let said = String::from_utf8(said).unwrap();
            let mut expected: Vec<PathBuf> = said
                .lines()
                .filter_map(|l| l.split(" => ").nth(1)?.split(' ').next())
                .map(|p| std::fs::canonicalize(p).unwrap())
                .collect();
            expected.sort();
            expected.dedup();
            let found = host(program);
            assert_eq!(found.missing.len(), 0, "{program}");
            let real = |p: &PathBuf| std::fs::canonicalize(p).unwrap();
            let loader: Vec<PathBuf> = found.loaders.iter().map(real).collect();
            let mut libraries: Vec<PathBuf> = found.libraries.iter().map(real).collect();
            libraries.retain(|p| !loader.contains(p));
            libraries.sort();
            libraries.dedup();
            assert_eq!(libraries, expected, "{program}");
        }
    }

    #[test]
    fn scripts_need_nothing_and_missing_libraries_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#! /bin/sh\n").unwrap();
        assert_eq!(closure(&[script], &Directories::of_host()).unwrap(), Closure::default());
        let nowhere = Directories::new(vec![dir.path().to_path_buf()]);
        let found = closure(&[PathBuf::from("/bin/ls")], &nowhere).unwrap();
        assert_eq!(found.missing.get("libc.so.6"), Some(&PathBuf::from("/bin/ls")));
    }

    /// A program finds `libl` by its own path, and `libl` finds `libdeep` by the program's
    /// `DT_RPATH`, which is inherited, but not by its `DT_RUNPATH`, which is not.
    #[test]
    fn rpath_is_inherited_and_runpath_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p).to_str().unwrap().to_owned();
        // What has linked this test.
        let cc = |arguments: &[&str]| Exec::new("cc").arg("-Wl,--no-as-needed").args(arguments);
        std::fs::create_dir(dir.path().join("a")).unwrap();
        let (program_c, library_c) = (at("x.c"), at("l.c"));
        std::fs::write(&program_c, "int x; int main(void) { return x; }").unwrap();
        std::fs::write(&library_c, "int x;").unwrap();
        let (deep, library, program) = (at("a/libdeep.so"), at("a/libl.so"), at("program"));
        let named = ["-shared", "-o", &deep, &library_c, "-Wl,-soname,libdeep.so"];
        cc(&named).output().unwrap();
        let named = ["-shared", "-o", &library, &library_c, &deep, "-Wl,-soname,libl.so"];
        cc(&named).output().unwrap();
        for (tags, missing) in [("--disable-new-dtags", 0), ("--enable-new-dtags", 1)] {
            let path = format!("-Wl,{tags},-rpath,$ORIGIN/a");
            let allow = "-Wl,--allow-shlib-undefined";
            cc(&[allow, "-o", &program, &program_c, &library, &path]).output().unwrap();
            let found = closure(&[PathBuf::from(&program)], &Directories::of_host()).unwrap();
            assert_eq!(found.missing.len(), missing, "{tags}: {found:?}");
            assert!(found.libraries.contains(Path::new(&library)), "{tags}: {found:?}");
        }
    }
}
