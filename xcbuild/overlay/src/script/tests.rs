//! Scripts run for real: what comes of them, why they are run again, and how they end.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use xc_report::Recorder;

use super::Script;
use crate::{Params, Passed};
use xc_store::remote::Remotes;
use xc_store::store::{Directory, Store, StoreLayout};
use xc_store::tree::{Blob, Kind, Tree, TreePath, from_tar};

/// An overlay `o` with a script, and a store.
struct Place {
    dir: tempfile::TempDir,
    params: Params,
    store: Store,
    recorder: Recorder,
}

impl Place {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::default();
        let store = Store::open(&dir.path().join("store"), &recorder.reporter()).unwrap();
        let script_environment = [("__nvm".to_owned(), "4".to_owned())].into();
        let programs = format!("{}:/usr/bin:/bin", dir.path().join("host").display()).into();
        let passed = Passed { others: vec!["SETUP"], neutral: vec![] };
        let params = Params { script_environment, passed, programs, ..Params::default() };
        let place = Self { dir, params, store, recorder };
        place.script(script);
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), text).unwrap();
    }

    fn executable(&self, path: &str, text: &str) {
        self.write(path, text);
        std::fs::set_permissions(self.at(path), PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn script(&self, text: &str) {
        self.executable("o/tar", &format!("#! /bin/sh\nd=${{0%/*}}\n{text}"));
    }

    fn set(&mut self, name: &str, value: &str) {
        self.params.script_environment.insert(name.into(), value.into());
    }

    fn script_of(&self) -> (PathBuf, &Params, &Store) {
        (self.at("o"), &self.params, &self.store)
    }

    /// Another machine with the same programs, and the remote that both use.
    fn sharing(url: &str, programs: &std::ffi::OsStr, input: &str) -> Self {
        let mut place = Self::new("cat $d/in > $TMPDIR/x; tar -C $TMPDIR -cf $1 x");
        place.params.programs = programs.to_owned();
        place.write("o/in", input);
        let urls = [url.to_owned()];
        place.store = place.store.with_remotes(Remotes::open(&urls, &urls).unwrap());
        place
    }

    /// The tree, and why it was made.
    fn build(&self) -> Result<(Tree, Option<String>), String> {
        let (directory, params, store) = self.script_of();
        let script = Script { name: "o", directory: &directory, params, store };
        let built = script.layer().map_err(|e| xc_report::causes(&e));
        let left = std::fs::read_dir(store.directory(Directory::Work)).unwrap().count();
        assert_eq!(left, 0, "the working directory is gone");
        let (layer, reason) = built?;
        let path = store.blob(&layer.digest).unwrap().unwrap();
        Ok((from_tar(&Blob::open(&path).unwrap()).unwrap(), reason.map(|r| r.to_string())))
    }

    fn reason(&self) -> Option<String> {
        self.build().unwrap().1
    }
}

/// Writes a tar of nothing.
const EMPTY: &str = "tar -cf $1 -T /dev/null\n";

#[test]
fn environment_is_clean_and_output_is_taken() {
    let place = Place::new(
        r#"
        mkdir $TMPDIR/x; touch $TMPDIR/x/file; echo ignored
        env | sed 's/=.*//' | grep -v '^_$' | sort | while read n; do touch $TMPDIR/x/$n; done
        tar -C $TMPDIR/x -cf "$1" ."#,
    );
    let (tree, _) = place.build().unwrap();
    let names: Vec<_> = tree.iter().map(|(path, e)| format!("{path} {:o}", e.mode)).collect();
    let expected = ["PATH", "PWD", "TMPDIR", "TZ", "XCLUSTER_TMP", "__nvm", "file"];
    assert_eq!(names, expected.map(|n| format!("{n} 644")));
}

#[test]
fn failures_say_what_the_script_said_and_are_not_kept() {
    let rows: &[(&str, &[&str])] = &[
        ("echo no such library >&2; exit 4", &["exit code 4", "no such library"]),
        ("kill -9 $$", &["was ended by signal 9"]),
        ("exit 0", &["without writing a tar"]),
        ("echo text > $1", &["it is not a tar"]),
        (
            "cd $TMPDIR; echo x >x; tar -cf - x | head -c 1000 > $1",
            &["/tar` wrote: the tar", "after `x`"],
        ),
    ];
    for (script, parts) in rows {
        let place = Place::new(script);
        for _ in 0..2 {
            let e = place.build().unwrap_err();
            assert!(parts.iter().all(|part| e.contains(part)), "{e}");
        }
        place.script(EMPTY);
        place.build().unwrap();
    }
}

#[test]
fn warnings_of_a_script_are_passed_on_with_its_name_and_bounded() {
    let place = Place::new(&format!(
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo \"WARNING: no $n\" >&2; done; echo no >&2\n{EMPTY}"
    ));
    place.build().unwrap();
    let expected: Vec<String> = (1..=10).map(|n| format!("o: no {n}")).collect();
    assert_eq!(place.recorder.warnings(), expected);
    place.build().unwrap();
    assert_eq!(place.recorder.warnings(), expected, "it did not run");
}

#[test]
fn a_working_directory_in_the_result_is_warned_of() {
    let place = Place::new("cd $TMPDIR; echo here: $PWD > x; echo there > y; tar -cf $1 x y");
    place.build().unwrap();
    assert_eq!(
        place.recorder.warnings(),
        ["`o` writes the path of its working directory into its result; it differs each time"]
    );
    let place = Place::new("cd $TMPDIR; echo there > y; tar -cf $1 y");
    place.build().unwrap();
    assert_eq!(place.recorder.warnings(), Vec::<String>::new());
}

/// Changes, and what `--explain` says of each.
#[test]
fn reasons_name_what_changed() {
    type Do = fn(&mut Place);
    let script = "
        cat $d/in > /dev/null; ls $d/list > /dev/null; test -x $d/flag; readlink $d/link >/dev/null
        echo $SETUP >/dev/null; which late; prog; test -e $d/none\n";
    let rows: &[(&str, Do)] = &[
        ("in changed", |p| p.write("o/in", "new")),
        ("in is gone", |p| std::fs::remove_file(p.at("o/in")).unwrap()),
        ("none appeared", |p| p.write("o/none", "")),
        ("directory list: an entry appeared", |p| p.write("o/list/new", "")),
        ("directory list: an entry is gone", |p| {
            std::fs::remove_file(p.at("o/list/one")).unwrap();
        }),
        ("flag mode 0644 -> mode 0755", |p| p.executable("o/flag", "")),
        ("link link one -> two", |p| {
            std::fs::remove_file(p.at("o/link")).unwrap();
            std::os::unix::fs::symlink("two", p.at("o/link")).unwrap();
        }),
        ("variable SETUP unset -> a,b", |p| p.set("SETUP", "a,b")),
        ("DIR/host/late appeared", |p| p.executable("host/late", "#! /bin/sh\n")),
        ("DIR/host/prog changed", |p| p.executable("host/prog", "#! /bin/sh\n:\n")),
        ("tar changed", |p| p.script(EMPTY)),
    ];
    for (expected, change) in rows {
        let mut place = Place::new(&format!("{script}{EMPTY}"));
        place.write("o/in", "");
        place.write("o/list/one", "");
        place.write("o/flag", "");
        place.executable("host/prog", "#! /bin/sh\n");
        std::os::unix::fs::symlink("one", place.at("o/link")).unwrap();
        assert_eq!(place.reason().as_deref(), Some("never built before"));
        assert_eq!(place.reason(), None);
        change(&mut place);
        let root = place.dir.path().to_str().unwrap();
        let reported = place.reason().map(|reason| reason.replace(root, "DIR"));
        assert_eq!(reported.as_deref(), Some(*expected));
        assert_eq!(place.reason(), None, "after: {expected}");
    }
}

/// What can't be followed or is of the moment, and what `--explain` says of it.
#[test]
fn what_is_run_every_time() {
    let rows: &[(&str, &str)] = &[
        ("head -c 1 /dev/urandom > /dev/null", "it reads /dev/urandom"),
        ("python3 -c 'import socket; socket.socket()'", "it uses the network"),
        ("echo x >> $d/log", "`DIR/o/log` was changed while it ran"),
        ("read x < $d/in; echo $x$x > $d/in", "`DIR/o/in` was changed while it ran"),
        (
            "python3 -c \"import socket; socket.socket(socket.AF_UNIX).connect('$d/socket')\"",
            "it talks to the program behind `DIR/o/socket`",
        ),
        (
            "python3 -c 'import os; os.chroot(\".\")'",
            "it uses another root directory, which can't be followed",
        ),
    ];
    for (script, expected) in rows {
        let place = Place::new(&format!("{script} || :\n{EMPTY}"));
        place.write("o/in", "1\n");
        place.write("o/log", "");
        let _listens = std::os::unix::net::UnixListener::bind(place.at("o/socket")).unwrap();
        let root = place.dir.path().to_str().unwrap();
        for _ in 0..2 {
            let reported = place.reason().map(|reason| reason.replace(root, "DIR"));
            assert_eq!(reported, Some(format!("it is run every time: {expected}")), "{script}");
        }
    }
}

/// What a script does with files of its own making is its own matter.
#[test]
fn its_own_files_are_no_inputs() {
    let rows = [
        "t=/tmp/$USER/xc_$$; mkdir -p $t/a; echo 1 > $t/a/x; cat $t/a/x; cp $t/a/x $t/a/y; rm -r $t",
        "t=$(mktemp -d /tmp/xc-XXXXXX); echo $RANDOM > $t/x; mv $t/x $t/y; cat $t/y; rm -r $t",
        "cat <<END\nhere\nEND\n",
        "ln -s $d/in $TMPDIR/l; cat $TMPDIR/l; ls -l $TMPDIR",
        "echo 'int main(void) { return 0; }' > $TMPDIR/x.c; cc -o $TMPDIR/x $TMPDIR/x.c && $TMPDIR/x",
        "mkdir $d/made; echo 1 > $d/made/x; cat $d/made/x; rm -r $d/made",
        "(echo 1 | tee $TMPDIR/f | gzip -c > $TMPDIR/g) 2>&1; sort $TMPDIR/f; awk '{print}' $TMPDIR/f",
        "bash -c 'cat <(echo 1) <<< here; set -e; shopt -s nullglob; for i in $0/*; do :; done' $d",
        "python3 -c 'import json, tarfile, subprocess; print(subprocess.run([\"true\"]))'",
        "perl -e 'print 1'; sed -i s/a/b/ $TMPDIR/none; make -v; git --version; find $d; du -s $d",
    ];
    for script in rows {
        let mut place = Place::new(&format!("({script}) > /dev/null 2>&1\n{EMPTY}"));
        place.write("o/in", "1\n");
        place.set("USER", "xcbuild-test");
        place.set("HOME", place.at("home").to_str().unwrap());
        assert_eq!(place.reason().as_deref(), Some("never built before"), "{script}");
        assert_eq!(place.reason(), None, "{script}");
    }
}

/// A copied file's words mean nothing, until the copy is run.
#[test]
fn names_in_data_count_once_the_copy_is_run() {
    let rows = [
        ("cp -R $d/default/* $TMPDIR; cd $TMPDIR; tar -cf $1 *", None),
        ("cp $d/default/x $TMPDIR; sh $TMPDIR/x", Some("variable SETUP unset -> a")),
        (
            "cd $TMPDIR; cp $d/default/* .; for i in *; do . ./$i; done",
            Some("variable SETUP unset -> a"),
        ),
    ];
    for (script, expected) in rows {
        let mut place = Place::new(&format!("({script})\n{EMPTY}"));
        place.write("o/default/x", "echo $SETUP\n");
        assert_eq!(place.reason().as_deref(), Some("never built before"), "{script}");
        place.set("SETUP", "a");
        assert_eq!(place.reason().as_deref(), expected, "{script}");
    }
}

/// Processes of a script that were told apart by an argument.
fn running(mark: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.any(|line| line.contains(mark))
}

/// A time to sleep that is this test's alone: several runs of the tests may go on.
fn own_time(number: u32) -> String {
    format!("{number}.{:07}", std::process::id())
}

#[test]
fn nothing_that_a_script_started_outlives_it() {
    let time = own_time(7531);
    let script = format!(
        "setsid sleep {time}1 & (setsid sh -c 'sleep {time}2 & sleep {time}3' &)\n\
        env -i setsid nohup sleep {time}4 > /dev/null 2>&1 &\n"
    );
    Place::new(&format!("{script}{EMPTY}")).build().unwrap();
    assert!(!running(&format!("\0{time}")), "all are gone");
}

#[test]
fn a_script_that_takes_too_long_is_ended_with_all_it_started() {
    let time = own_time(8642);
    let script = format!("setsid sleep {time}1 & trap : TERM; sleep {time}2; sleep {time}3");
    let mut place = Place::new(&script);
    place.params.script_timeout = Some(Duration::from_secs(1));
    let e = place.build().unwrap_err();
    assert!(e.contains("was ended after 1 s; --script-timeout gives it more"), "{e}");
    assert!(!running(&format!("\0{time}")), "all are gone");
}

#[test]
fn untraced_scripts_are_run_every_time() {
    let mut place = Place::new(EMPTY);
    place.params.untraced = true;
    for _ in 0..2 {
        assert_eq!(place.reason().as_deref(), Some("it is run every time: tracing is off"));
    }
}

/// The second waits, and takes what the first made.
#[test]
fn a_script_is_run_once_for_many_at_a_time() {
    let place = Place::new(&format!("echo run >> /dev/stderr; echo x >> {{COUNT}}; {EMPTY}"));
    let count = place.at("store/tmp-count");
    let text = std::fs::read_to_string(place.at("o/tar")).unwrap();
    place.executable("o/tar", &text.replace("{COUNT}", count.to_str().unwrap()));
    let (directory, params, store) = place.script_of();
    let build = || Script { name: "o", directory: &directory, params, store }.layer().unwrap();
    let reasons: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
        all.into_iter().map(|thread| thread.join().unwrap().1).collect()
    });
    assert_eq!(reasons.iter().flatten().count(), 1, "{reasons:?}");
    assert_eq!(std::fs::read_to_string(count).unwrap(), "x\n");
}

/// The first look-up gives the traces of the script, the second what each read.
#[test]
fn what_another_machine_ran_is_taken_where_all_that_it_read_is_the_same() {
    let remote = tempfile::tempdir().unwrap();
    let url = format!("file://{}", remote.path().display());
    let programs = std::ffi::OsStr::new("/usr/bin:/bin");
    let run = |input: &str| {
        let place = Place::sharing(&url, programs, input);
        let (tree, reason) = place.build().unwrap();
        let entry = tree.get(&TreePath::new("x").unwrap()).unwrap();
        let Kind::File(content) = &entry.kind else { panic!("x is a file") };
        let mut text = String::new();
        content.reader().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, input, "the layer is that of its input");
        assert_eq!(place.reason(), None, "known here from now on");
        reason
    };
    let new = Some("never built before".to_owned());
    assert_eq!(run("one"), new);
    assert_eq!(run("one"), None, "taken");
    assert_eq!(run("two"), new);
    assert_eq!([run("one"), run("two")], [None, None], "several for one script");
    // Records under each other's keys: a trace has to be the one that its key stands for.
    let records = StoreLayout::new(remote.path()).directory(Directory::Records);
    let files = walkdir::WalkDir::new(records).into_iter().map(|e| e.unwrap().into_path());
    let traces = files.filter(|f| {
        std::fs::read(f).is_ok_and(|b| memchr::memmem::find(&b, b"\"trace\"").is_some())
    });
    let traces: Vec<PathBuf> = traces.collect();
    assert_eq!(traces.len(), 2);
    let other = remote.path().join("other");
    std::fs::rename(&traces[0], &other).unwrap();
    std::fs::rename(&traces[1], &traces[0]).unwrap();
    std::fs::rename(&other, &traces[1]).unwrap();
    assert_eq!(run("one"), new);
}
