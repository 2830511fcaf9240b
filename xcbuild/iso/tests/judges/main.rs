//! Images are judged by the tools that others use: what each finds must be what went in. A judge
//! that is not installed is skipped, and says so.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod bsdtar;
mod digests;
mod golden;
mod hadris;
mod host;
mod isoinfo;
mod model;
mod others;
mod own;
mod plain;
mod sevenzip;
mod tool;
mod xorriso;

use std::fs;
use std::path::Path;

use model::{Fact, Facts, Model};
use xc_iso::{Joliet, Options};

/// Readers that are always there: our own, and a crate.
const OWN: &str = "xc-iso";
const HADRIS: &str = "hadris-iso";

/// Has a judge look at all golden trees. `blur` takes from a fact what the
/// judge can't see and says whether it sees the entry at all.
fn judge(program: &str, look: impl Fn(&Path) -> Facts, blur: impl Fn(&mut Fact) -> bool) {
    if ![OWN, HADRIS].contains(&program) && !tool::installed(program) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    for (name, tree) in golden::ALL {
        if let Some(reason) = tool::excuse(program, name) {
            println!("SKIPPED: {program}, {name}: {reason}");
            continue;
        }
        // Where there is Joliet, 7-Zip looks at nothing else.
        let with_joliet = (program != "7z").then_some(Joliet::Standard);
        for joliet in std::iter::once(Joliet::Off).chain(with_joliet) {
            let file = folder.path().join(format!("{name}.iso"));
            fs::write(&file, bytes(&tree(), joliet)).expect("room for the image");
            let mut expected = tree().facts();
            let mut found = look(&file);
            expected.retain(|_, fact| blur(fact));
            found.retain(|_, fact| blur(fact));
            compare(&format!("{program}, {name}, {joliet:?}"), &expected, &found);
            println!("{program}: {name}, {joliet:?}: {} entries as expected", found.len());
        }
    }
}

fn bytes(model: &Model, joliet: Joliet) -> Vec<u8> {
    model.bytes(Options { joliet, ..Options::default() }).expect("an image")
}

/// Fails with the first few differences.
fn compare(what: &str, expected: &Facts, found: &Facts) {
    let mut differences = Vec::new();
    let shown = |path: &[u8]| path.escape_ascii().to_string();
    for (path, fact) in expected {
        match found.get(path) {
            None => differences.push(format!("{} is missing", shown(path))),
            Some(other) if other != fact => {
                differences.push(format!("{}:\n  wrote {fact:?}\n  found {other:?}", shown(path)));
            }
            Some(_) => {}
        }
    }
    let extra = found.keys().filter(|path| !expected.contains_key(*path));
    differences.extend(extra.map(|path| format!("{} is too much", shown(path))));
    differences.truncate(5);
    assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
}

#[test]
fn bsdtar_finds_what_went_in() {
    judge("bsdtar", bsdtar::look, bsdtar::blur);
}

#[test]
fn xorriso_extracts_what_went_in() {
    judge("xorriso", xorriso::look, xorriso::blur);
}

#[test]
fn isoinfo_lists_what_went_in() {
    judge("isoinfo", isoinfo::look, isoinfo::blur);
}

#[test]
fn sevenzip_lists_what_went_in() {
    judge("7z", sevenzip::look, sevenzip::blur);
}

#[test]
fn hadris_finds_what_went_in() {
    judge(HADRIS, hadris::look, hadris::blur);
}

#[test]
fn our_reader_finds_what_went_in() {
    judge(OWN, own::look, own::blur);
}

#[test]
fn our_reader_extracts_what_went_in() {
    judge(OWN, own::look_extracted, own::blur_extracted);
}

/// The directories and files, whatever they are called.
fn contents(facts: &Facts) -> Vec<(char, Vec<u8>)> {
    let shown = facts.values().filter(|fact| matches!(fact.kind, 'd' | '-'));
    let mut contents: Vec<_> = shown.map(|fact| (fact.kind, fact.content.clone())).collect();
    contents.sort();
    contents
}

#[test]
fn plain_readers_find_every_file_and_directory() {
    let folder = tempfile::tempdir().unwrap();
    for (name, tree) in golden::ALL {
        if name == "deep" {
            println!(
                "SKIPPED: iso9660, deep: relocated directories are elsewhere in the plain tree"
            );
            continue;
        }
        let file = folder.path().join(format!("{name}.iso"));
        fs::write(&file, bytes(&tree(), Joliet::Off)).unwrap();
        // All else are empty files to them.
        let mut expected = tree().facts();
        expected.values_mut().filter(|fact| fact.kind != 'd').for_each(|fact| fact.kind = '-');
        assert_eq!(plain::look(&file), contents(&expected), "{name}");
    }
}

#[test]
fn joliet_has_every_file_and_directory() {
    let folder = tempfile::tempdir().unwrap();
    for (name, tree) in golden::ALL {
        let file = folder.path().join(format!("{name}.iso"));
        fs::write(&file, bytes(&tree(), Joliet::Standard)).unwrap();
        assert_eq!(contents(&own::look_joliet(&file)), contents(&tree().facts()), "{name}");
    }
}
