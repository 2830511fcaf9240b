//! Two stores and a remote between them: what is taken, and what is not believed.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CANDIDATES_MAX, DirectoryRemote, Remote, RemoteError, Remotes, UrlError, open};
use crate::key::{Digest, Key, KeyBuilder};
use crate::store::{Action, BlobRef, Fact, Outcome, Store, StoreLayout};
use xc_report::Recorder;

/// A directory for stores and remotes.
struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let lab = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(lab.remote()).unwrap();
        lab
    }

    fn remote(&self) -> PathBuf {
        self.dir.path().join("remote")
    }

    fn url(&self) -> String {
        format!("file://{}", self.remote().display())
    }

    /// A machine's store that reads from the remote and sends to it, and what it reports.
    fn machine(&self, name: &str) -> (Store, Recorder) {
        let urls = [self.url()];
        self.machine_with(name, Remotes::open(&urls, &urls).unwrap())
    }

    fn machine_with(&self, name: &str, remotes: Remotes) -> (Store, Recorder) {
        let recorder = Recorder::default();
        let store = Store::open(&self.dir.path().join(name), &recorder.reporter()).unwrap();
        (store.with_remotes(remotes), recorder)
    }
}

fn key(name: &str) -> Key {
    KeyBuilder::new("test").text("name", name).finish()
}

const CONTENT: &[u8] = b"the layer that is built";

/// Gets `name` from a store, or builds it.
fn get(store: &Store, name: &str) -> Outcome {
    let build = || Ok(Action::of_blob("layer", store.put(CONTENT)?).with_fact("overlay", name));
    let (action, outcome) = store.get_or_build(&key(name), &["layer"], build).unwrap();
    let path = store.blob(&action.blob("layer").unwrap().digest).unwrap().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), CONTENT);
    assert_eq!(action.facts["overlay"], name);
    outcome
}

fn overwrite(path: &Path, bytes: &[u8]) {
    // Published files are read-only.
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_one_machine_built_another_takes() {
    let lab = Lab::new();
    let ((a, _), (b, recorder)) = (lab.machine("a"), lab.machine("b"));
    assert_eq!(get(&a, "x"), Outcome::Built);
    assert_eq!(get(&b, "x"), Outcome::Fetched);
    assert_eq!(get(&b, "x"), Outcome::Cached);
    assert_eq!(get(&b, "y"), Outcome::Built);
    assert_eq!(get(&a, "y"), Outcome::Fetched);
    assert_eq!(recorder.warnings(), Vec::<String>::new());
}

#[test]
fn steps_on_the_way_and_facts_of_a_machine_stay_there() {
    let lab = Lab::new();
    let (a, _) = lab.machine("a");
    let build = || Ok(Action::of_blob("data", a.put(b"data")?));
    let (_, outcome) = a.get_or_build_here(&key("step"), &["data"], build).unwrap();
    assert_eq!(outcome, Outcome::Built);
    a.local().set(Fact::History, &key("x"), &[1]).unwrap();
    assert_eq!(std::fs::read_dir(lab.remote()).unwrap().count(), 0);
    get(&a, "x");
    let mut names: Vec<_> =
        std::fs::read_dir(lab.remote()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["ac", "cas"]);
    let (b, _) = lab.machine("b");
    let here = b.get_or_build_here(&key("x"), &[], || Ok(Action::default())).unwrap();
    assert_eq!(here.1, Outcome::Built);
}

/// What may be wrong with a remote: each is a miss with a warning, and mended by who builds.
#[test]
fn what_is_damaged_is_built_and_sent_again() {
    type Damage = fn(record: &Path, blob: &Path);
    let rows: &[(&str, Damage, &str)] = &[
        ("blob gone", |_, blob| std::fs::remove_file(blob).unwrap(), "is missing"),
        ("blob empty", |_, blob| overwrite(blob, b""), "is shorter than its record says"),
        ("blob cut", |_, blob| overwrite(blob, &CONTENT[1..]), "is shorter than its record says"),
        (
            "blob longer",
            |_, blob| overwrite(blob, &[CONTENT, b"x"].concat()),
            "is longer than its record says",
        ),
        (
            "blob changed",
            |_, blob| overwrite(blob, &[b"T", &CONTENT[1..]].concat()),
            "has a checksum mismatch",
        ),
        ("record empty", |record, _| overwrite(record, b""), "is damaged"),
        (
            "record cut",
            |record, _| {
                let bytes = std::fs::read(record).unwrap();
                overwrite(record, &bytes[..bytes.len() - 1]);
            },
            "is damaged",
        ),
        ("record of something else", |record, _| overwrite(record, b"<html>"), "is damaged"),
        ("record without end", |record, _| overwrite(record, &vec![b'0'; 5 << 20]), "is damaged"),
    ];
    for (what, damage, expected) in rows {
        let lab = Lab::new();
        get(&lab.machine("a").0, "x");
        let layout = StoreLayout::new(&lab.remote());
        damage(&layout.record(&key("x")), &layout.blob(&Digest::of(CONTENT)));
        let (b, recorder) = lab.machine("b");
        assert_eq!(get(&b, "x"), Outcome::Built, "{what}");
        let warnings = recorder.warnings();
        assert_eq!(warnings.len(), 1, "{what}: {warnings:?}");
        let is_right = warnings[0].starts_with("remote cache `file:///")
            && warnings[0].ends_with(&format!("{expected}; ignored"));
        assert!(is_right, "{what}: {warnings:?}");
        let (c, recorder) = lab.machine("c");
        assert_eq!(get(&c, "x"), Outcome::Fetched, "{what}: it was mended");
        assert_eq!(recorder.warnings(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn half_written_files_are_not_there() {
    let lab = Lab::new();
    get(&lab.machine("a").0, "x");
    let layout = StoreLayout::new(&lab.remote());
    let (record, blob) = (layout.record(&key("x")), layout.blob(&Digest::of(CONTENT)));
    // Killed before the blob had its name; the record comes after it.
    std::fs::rename(&blob, blob.with_file_name(".tmp-half")).unwrap();
    std::fs::remove_file(record).unwrap();
    let (b, recorder) = lab.machine("b");
    assert_eq!(get(&b, "x"), Outcome::Built);
    assert_eq!(recorder.warnings(), Vec::<String>::new(), "a miss is nothing to warn of");
}

#[test]
fn records_that_lack_what_is_needed_are_a_miss() {
    let lab = Lab::new();
    let (a, _) = lab.machine("a");
    a.get_or_build(&key("x"), &[], || Ok(Action::default())).unwrap();
    assert_eq!(get(&lab.machine("b").0, "x"), Outcome::Built);
}

#[test]
fn a_directory_that_is_not_there_is_reported_once_and_fails_no_build() {
    let lab = Lab::new();
    let url = "file:///nonexistent/remote".to_owned();
    let remotes = Remotes::open(&[url.clone(), lab.url()], &[lab.url()]).unwrap();
    let (a, recorder) = lab.machine_with("a", remotes);
    for name in ["x", "y", "z"] {
        assert_eq!(get(&a, name), Outcome::Built);
    }
    let warnings = recorder.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(&url) && warnings[0].ends_with("for the rest of this run"));
    // The next remote is used all the same.
    assert_eq!(get(&lab.machine("b").0, "z"), Outcome::Fetched);
}

/// A remote that fails at its nth call.
#[derive(Debug)]
struct Failing {
    remote: DirectoryRemote,
    calls: Arc<AtomicUsize>,
    fails_at: usize,
}

impl Failing {
    fn check(&self) -> Result<(), RemoteError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) >= self.fails_at {
            return Err(RemoteError::Unavailable("connection reset".into()));
        }
        Ok(())
    }
}

impl Remote for Failing {
    fn name(&self) -> String {
        "failing".into()
    }

    fn get_record(&self, key: &Key) -> Result<Option<Action>, RemoteError> {
        self.check()?;
        self.remote.get_record(key)
    }

    fn put_record(&self, key: &Key, action: &Action) -> Result<(), RemoteError> {
        self.check()?;
        self.remote.put_record(key, action)
    }

    fn has_blob(&self, blob: &BlobRef) -> Result<bool, RemoteError> {
        self.check()?;
        self.remote.has_blob(blob)
    }

    fn get_blob(&self, _: &BlobRef, to: &mut dyn Write) -> Result<bool, RemoteError> {
        // Fails half way through.
        to.write_all(&CONTENT[..5])?;
        self.check()?;
        Ok(true)
    }

    fn put_blob(&self, blob: &BlobRef, from: &mut dyn Read) -> Result<(), RemoteError> {
        self.check()?;
        self.remote.put_blob(blob, from)
    }
}

#[test]
fn wherever_a_remote_fails_the_build_goes_on_without_it() {
    for fails_at in 0..8 {
        let lab = Lab::new();
        let remote = DirectoryRemote::new(&lab.remote());
        let calls = Arc::new(AtomicUsize::new(0));
        let failing = Failing { remote, calls: Arc::clone(&calls), fails_at };
        let remotes = Remotes::default().with(Box::new(failing), true, true);
        let (a, recorder) = lab.machine_with("a", remotes);
        for name in ["x", "y", "z"] {
            assert_eq!(get(&a, name), Outcome::Built, "{fails_at}");
        }
        assert_eq!(
            recorder.warnings(),
            ["remote cache `failing`: connection reset; not used for the rest of this run"],
            "{fails_at}"
        );
        assert_eq!(calls.load(Ordering::Relaxed), fails_at + 1, "it is not asked again");
        // What it has by then is right, or not there: a record comes after its blobs.
        let (b, recorder) = lab.machine("b");
        for name in ["x", "y", "z"] {
            get(&b, name);
        }
        assert_eq!(recorder.warnings(), Vec::<String>::new(), "{fails_at}");
    }
}

#[test]
fn a_fetch_that_breaks_off_leaves_nothing() {
    let lab = Lab::new();
    get(&lab.machine("a").0, "x");
    let remote = DirectoryRemote::new(&lab.remote());
    let failing = Failing { remote, calls: Arc::default(), fails_at: 1 };
    let remotes = Remotes::default().with(Box::new(failing), true, false);
    let (b, recorder) = lab.machine_with("b", remotes);
    assert!(b.fetch(&key("x"), &["layer"]).unwrap().is_none());
    assert_eq!(recorder.warnings().len(), 1);
    assert_eq!(b.blob(&Digest::of(CONTENT)).unwrap(), None);
    assert_eq!(b.action(&key("x")).unwrap(), None);
    let work = b.directory(crate::store::Directory::Work);
    assert_eq!(std::fs::read_dir(work).unwrap().count(), 0);
}

#[test]
fn candidates_come_newest_first_and_are_bounded() {
    let lab = Lab::new();
    let (a, _) = lab.machine("a");
    let names: Vec<String> = (0..CANDIDATES_MAX + 2).map(|n| format!("trace {n}")).collect();
    for name in &names {
        get(&a, name);
        a.add_candidate(&key("script"), &key(name));
    }
    // One that is used again is the newest.
    a.add_candidate(&key("script"), &key(&names[5]));
    let (b, _) = lab.machine("b");
    let found = b.candidates(&key("script")).unwrap();
    let expected = [5, 9, 8, 7, 6, 4, 3, 2].map(|n| key(&names[n]));
    assert_eq!(found.iter().map(|c| c.key).collect::<Vec<_>>(), expected);
    assert_eq!(found[0].read(&b, "layer").unwrap().unwrap(), CONTENT);
    assert_eq!(b.action(&key(&names[5])).unwrap(), None, "read, not taken");
    assert!(found[0].take(&b).unwrap());
    assert_eq!(get(&b, &names[5]), Outcome::Cached);
    assert_eq!(b.candidates(&key("script")).unwrap().len(), CANDIDATES_MAX - 1);
}

#[test]
fn urls_name_a_kind_that_there_is() {
    assert_eq!(open("file:///x/y").unwrap().name(), "file:///x/y");
    for (url, error) in [
        ("/x", UrlError::Kind("/x".into())),
        ("gopher://x", UrlError::Kind("gopher://x".into())),
        ("file://x/y", UrlError::Path("file://x/y".into())),
    ] {
        assert_eq!(open(url).err(), Some(error), "{url}");
    }
}
