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

use xc_harness::{Case, Need};

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
    /// What the machine must have for it.
    needs: &'static [Need],
}

impl Row {
    /// A row that only root can try.
    fn for_root(self) -> Self {
        Self { needs: &[Need::Root], ..self }
    }
}

/// A row.
fn row(what: &'static str, expect: Expect, change: fn(&mut Lab)) -> Row {
    Row { what, prepare: |_| (), change, expect, needs: &[] }
}

/// A row that starts from something of its own.
fn row_from(
    what: &'static str,
    expect: Expect,
    prepare: fn(&mut Lab),
    change: fn(&mut Lab),
) -> Row {
    Row { what, prepare, change, expect, needs: &[] }
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

#[tests]
fn keys_change_with_what_counts_and_with_nothing_else() -> Vec<Case> {
    let tables = [
        ("manifest", manifest::rows()),
        ("host", host::rows()),
        ("cdrom", cdrom::rows()),
        ("outside", outside::rows()),
    ];
    tables.into_iter().flat_map(|(table, rows)| cases(table, rows)).collect()
}

/// Rows as tests, whose names begin with that of their table.
fn cases(table: &str, rows: Vec<Row>) -> Vec<Case> {
    let case = |row: Row| {
        let (name, needs) = (format!("{table}-{}", row.what), row.needs);
        Case::new(&name, move || try_row(&row).unwrap()).needs(needs)
    };
    rows.into_iter().map(case).collect()
}
