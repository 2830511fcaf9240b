//! Scripts run for real.

use std::os::unix::fs::PermissionsExt;

use super::Script;
use crate::image::store::Store;
use crate::overlay::Params;
use crate::tree::{Blob, TreePath, from_tar};

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
    let script = Script { name: "o", directory: &overlay, params: &params, store: &store };
    let (layer, _) = script.layer().map_err(|e| crate::ui::causes(&e))?;
    let tree =
        from_tar(&Blob::open(&store.blob(&layer.digest).unwrap().unwrap()).unwrap()).unwrap();
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
    let expected = ["PATH", "PWD", "TMPDIR", "TZ", "XCLUSTER_TMP", "__nvm", "file"];
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
