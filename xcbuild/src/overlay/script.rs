//! `tar` scripts: overlays as programs, by the contract of the shell tool.
//!
//! A script is called `tar OUTFILE` in a working directory of its own, with the contract's variables
//! as its whole environment, and writes a tar of what is unpacked on `/`. Its messages go to stderr
//! and are shown when it fails. It runs in a process group of its own, which is ended when the user
//! cancels; what it had written by then is gone with its working directory.
//!
//! What a script reads is not recorded yet, so it is run for every build; equal output is one layer
//! all the same.

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use std::path::Path;

use super::Params;
use super::find::SCRIPT_NAME;
use super::tarball;
use crate::image::store::Store;
use crate::sys::exec::Exec;
use crate::tree::Tree;

/// Runs an overlay's script and reads what it wrote.
///
/// # Errors
/// When it can't be run, fails, or writes no tar.
pub fn run(directory: &Path, params: &Params, store: &Store) -> Result<Tree> {
    let work = store.work_directory()?;
    let tmp = work.path().join("tmp");
    fs::create_dir(&tmp)?;
    let out = work.path().join("out.tar");
    let script = directory.join(SCRIPT_NAME);
    let mut exec = Exec::new("sh").args(["-c", WITH_UMASK, "sh"]).arg(&script).arg(&out);
    exec = exec.env_clear().cwd(&tmp);
    for (name, value) in &params.script_environment {
        exec = exec.env(name, value);
    }
    exec.env("PATH", &params.programs)
        .env("TMPDIR", &tmp)
        .env("XCLUSTER_TMP", &tmp)
        .output()
        .with_context(|| format!("the script `{}` failed", script.display()))?;
    if !out.is_file() {
        bail!("the script `{}` succeeded without writing a tar to its argument", script.display());
    }
    tarball::read(&out, store).with_context(|| format!("what `{}` wrote", script.display()))
}

/// The user's umask must not show in the layer.
pub(super) const WITH_UMASK: &str = r#"umask 022; exec "$@""#;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::run;
    use crate::image::store::Store;
    use crate::overlay::Params;
    use crate::tree::TreePath;

    fn try_script(text: &str) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let overlay = dir.path().join("o");
        std::fs::create_dir(&overlay).unwrap();
        std::fs::write(overlay.join("tar"), format!("#! /bin/sh\n{text}")).unwrap();
        std::fs::set_permissions(overlay.join("tar"), PermissionsExt::from_mode(0o755)).unwrap();
        let script_environment = [("__nvm".to_owned(), "4".to_owned())].into();
        let programs = "/usr/bin:/bin".into();
        let params = Params { script_environment, programs, ..Params::default() };
        let tree = run(&overlay, &params, &store).map_err(|e| crate::ui::causes(&e))?;
        assert!(std::fs::read_dir(store.root().join("tmp")).unwrap().next().is_none());
        let shown = tree.iter().map(|(path, entry)| format!("{path} {:o}", entry.mode));
        assert!(tree.get(&TreePath::new("env").unwrap()).is_none_or(|e| !e.is_directory()));
        Ok(shown.collect())
    }

    #[test]
    fn environment_is_clean_and_output_is_taken() {
        let script = r#"
            mkdir $TMPDIR/x; touch $TMPDIR/x/file; echo ignored
            env | sed 's/=.*//' | grep -v '^_$' | sort | while read n; do touch $TMPDIR/x/$n; done
            tar -C $TMPDIR/x -cf "$1" ."#;
        let names = try_script(script).unwrap();
        let expected = ["PATH", "PWD", "TMPDIR", "XCLUSTER_TMP", "__nvm", "file"];
        assert_eq!(names, expected.map(|n| format!("{n} 644")));
    }

    #[test]
    fn failures_say_what_the_script_said() {
        let e = try_script("echo no such library >&2; exit 4").unwrap_err();
        assert!(e.contains("exit code 4") && e.contains("no such library"), "{e}");
        let e = try_script("exit 0").unwrap_err();
        assert!(e.contains("without writing a tar"), "{e}");
        let e = try_script("echo text > $1").unwrap_err();
        assert!(e.contains("the tar can't be read"), "{e}");
        let cut = "cd $TMPDIR; echo x >x; tar -cf - x | head -c 1000 > $1";
        let e = try_script(cut).unwrap_err();
        assert!(e.contains("/tar` wrote: the tar") && e.contains("after `x`"), "{e}");
    }
}
