//! Real programs under watch: which calls are reported.

use std::path::Path;
use std::time::Duration;

use super::{Call, Ended, Flow, Options, Watched, run};
use crate::exec::Exec;

fn watch(exec: Exec, mut flow: impl FnMut(&Call) -> Flow + Send) -> (Ended, Vec<Call>) {
    let mut calls = Vec::new();
    let options = Options { timeout: Duration::from_secs(60), watched: true };
    let ended = run(exec, options, &mut |_, call| {
        let flow = flow(&call);
        calls.push(call);
        flow
    });
    (ended.unwrap(), calls)
}

fn shell(script: &str) -> Exec {
    Exec::new("sh").args(["-c", script])
}

#[test]
fn calls_are_reported_with_absolute_paths() {
    let dir = tempfile::tempdir().unwrap();
    let at = |p: &str| dir.path().join(p);
    std::fs::write(at("in"), "x").unwrap();
    let script = "cat in > out; mkdir d; mv out d/; ln -s in l; ln in h; rm h; ls d > /dev/null;
        exec 2> err; echo >> /dev/stderr
        cd d; test -e ../none; cat < ../in | cat /dev/stdin; exit 3";
    let (ended, calls) = watch(shell(script).cwd(dir.path()), |_| Flow::Continue);
    assert_eq!((ended.status.code(), ended.watched), (Some(3), Watched::Fully));
    assert_eq!(ended.output.stdout, b"x");
    let opened = |path: &Path, write: bool| {
        let found = |c: &Call| matches!(c, Call::Open(p, how) if p == path && how.write == write);
        calls.iter().any(found)
    };
    assert!(opened(&at("in"), false) && opened(&at("out"), true), "{calls:#?}");
    let of_task = |call: &&Call| matches!(call, Call::Open(path, _) if *path == at("err"));
    assert_eq!(calls.iter().filter(of_task).count(), 2, "by name, and as /dev/stderr: {calls:#?}");
    for call in [
        Call::Create(at("d")),
        Call::Create(at("l")),
        Call::Link { from: at("in"), to: at("h") },
        Call::Rename { from: at("out"), to: at("d/out") },
        Call::Remove(at("h")),
        Call::List(at("d")),
    ] {
        assert!(calls.contains(&call), "{call:?} in {calls:#?}");
    }
    let looked = |c: &Call| matches!(c, Call::Stat { path, .. } if *path == at("d/../none"));
    assert!(calls.iter().any(looked), "{calls:#?}");
    let run = |c: &Call| matches!(c, Call::Execute { arguments, .. } if arguments[0] == b"cat");
    assert!(calls.iter().any(run), "{calls:#?}");
}

#[test]
fn the_watcher_can_end_it() {
    let end = |call: &Call| match call {
        Call::Execute { arguments, .. } if arguments[0] == b"sleep" => Flow::End,
        _ => Flow::Continue,
    };
    let (ended, _) = watch(shell("sleep 100; sleep 100"), end);
    assert!(!ended.status.success() && !ended.timed_out);
}

#[test]
fn unwatched_programs_run_all_the_same() {
    let options = Options { timeout: Duration::from_secs(60), watched: false };
    let ended = run(shell("echo x; umask"), options, &mut |_, _| Flow::Continue).unwrap();
    assert_eq!((ended.output.stdout, ended.status.success()), (b"x\n0022\n".to_vec(), true));
    assert!(matches!(ended.watched, Watched::Not(_)));
    let missing = run(Exec::new("/no/such"), options, &mut |_, _| Flow::Continue).unwrap_err();
    assert!(missing.to_string().contains("is not installed"), "{missing}");
}

#[test]
fn many_at_once_are_kept_apart() {
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let script = format!("for i in 1 2 3 4 5; do cat /nowhere/{number}; done; exit 0");
                let (_, calls) = watch(shell(&script), |_| Flow::Continue);
                let paths = calls.iter().filter_map(|call| match call {
                    Call::Open(path, _) => path.to_str()?.strip_prefix("/nowhere/"),
                    _ => None,
                });
                let paths: Vec<&str> = paths.collect();
                assert_eq!(paths, [number.to_string().as_str(); 5]);
            });
        }
    });
}
