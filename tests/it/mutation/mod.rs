//! The mutation table: what changes a key, and what does not. Each row builds, changes one thing, and
//! builds again with the program itself.
//!
//! Rows are in files by what they change; those of `tar` scripts are a table of their own.

mod cdrom;
mod host;
mod identical;
mod lab;
mod manifest;
mod outside;
mod packages;
mod scripts;

use std::sync::atomic::{AtomicUsize, Ordering};

use lab::{Lab, Report};

/// What the second build has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// The layer of `o`, or the only one, is built anew.
    Layer,
    /// All layers are in the store, the ISO is written anew.
    Iso,
    /// Nothing is built, and the ISO is the same.
    Nothing,
    /// It fails with that message, or failed with it before the change.
    Fails(&'static str),
}
use Expect::{Fails, Iso, Layer, Nothing};

/// A row of the table.
struct Row {
    /// What is changed.
    what: &'static str,
    /// What it is changed from, where that is not what every lab has.
    prepare: fn(&mut Lab),
    /// How.
    change: fn(&mut Lab),
    /// What comes of it.
    expect: Expect,
}

/// A row.
fn row(what: &'static str, expect: Expect, change: fn(&mut Lab)) -> Row {
    Row { what, prepare: |_| (), change, expect }
}

/// A row that starts from something of its own.
fn row_from(
    what: &'static str,
    expect: Expect,
    prepare: fn(&mut Lab),
    change: fn(&mut Lab),
) -> Row {
    Row { what, prepare, change, expect }
}

fn try_row(row: &Row) -> Result<(), String> {
    let mut lab = Lab::new();
    (row.prepare)(&mut lab);
    let before = lab.build();
    (row.change)(&mut lab);
    let after = lab.build();
    let found = match (&before, &after) {
        (_, Err(said)) | (Err(said), _) => match row.expect {
            Fails(message) if said.contains(message) => return Ok(()),
            _ => return Err(format!("{}: {said}", row.what)),
        },
        (Ok(before), Ok(after)) => compared(before, after),
    };
    if found != row.expect {
        return Err(format!("{}: {found:?}, and not {:?}", row.what, row.expect));
    }
    // What was built has its key now: nothing is built twice.
    match lab.build() {
        Ok(again) if again.cached && again.layers.iter().all(|(_, cached)| *cached) => Ok(()),
        other => Err(format!("{}: built again without a change: {other:?}", row.what)),
    }
}

fn compared(before: &Report, after: &Report) -> Expect {
    if after.layers.iter().any(|(_, cached)| !cached) {
        Layer
    } else if after.cached {
        assert_eq!(before.digest, after.digest, "a hit is what it was");
        Nothing
    } else {
        Iso
    }
}

#[test]
fn keys_change_with_what_counts_and_with_nothing_else() {
    let tables = [manifest::rows(), host::rows(), cdrom::rows(), outside::rows()];
    run_table("mutation table", &tables.into_iter().flatten().collect::<Vec<_>>());
}

/// Tries all rows, two at once, and tells how many there are of each kind.
fn run_table(name: &str, rows: &[Row]) {
    let (next, wrong) = (AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
    let work = || {
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.lock().unwrap().extend(try_row(row).err());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let count = |expect: fn(&Expect) -> bool| rows.iter().filter(|r| expect(&r.expect)).count();
    println!(
        "{name}: {} rows: {} build the layer, {} the ISO, {} nothing, {} fail",
        rows.len(),
        count(|e| *e == Layer),
        count(|e| *e == Iso),
        count(|e| *e == Nothing),
        count(|e| matches!(e, Fails(_)))
    );
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
