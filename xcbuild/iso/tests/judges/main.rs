//! Images are judged by the tools that others use: what each finds must be what went in. There is a
//! test for each judge and tree; it is ignored where the judge is not installed, or has a fault.
#![allow(clippy::unwrap_used)]

// `#[test]` is the harness' own from here on, in all modules.
#[macro_use]
extern crate xc_harness;

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
use xc_harness::{Case, Need};
use xc_iso::{Joliet, Options};

/// How a judge sees an image.
#[derive(Clone, Copy)]
struct Judge {
    /// Its program; our own reader and a crate are always there, and have none.
    program: Option<&'static str>,
    look: fn(&Path) -> Facts,
    /// Takes from a fact what the judge can't see and says whether it sees the entry at all.
    blur: fn(&mut Fact) -> bool,
}

impl Judge {
    /// Has it look at each golden tree.
    fn tests(self) -> Vec<Case> {
        let needs: Vec<Need> = self.program.map(Need::Program).into_iter().collect();
        let case = |(name, tree)| {
            let reason = self.program.and_then(|program| tool::excuse(program, name));
            Case::new(name, move || self.judge(name, tree)).needs(&needs).ignored(reason)
        };
        golden::ALL.map(case).into()
    }

    fn judge(self, name: &str, tree: fn() -> Model) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        // Where there is Joliet, 7-Zip looks at nothing else.
        let with_joliet = (self.program != Some("7z")).then_some(Joliet::Standard);
        for joliet in std::iter::once(Joliet::Off).chain(with_joliet) {
            let file = folder.path().join(format!("{name}.iso"));
            fs::write(&file, bytes(&tree(), joliet)).expect("room for the image");
            let mut expected = tree().facts();
            let mut found = (self.look)(&file);
            expected.retain(|_, fact| (self.blur)(fact));
            found.retain(|_, fact| (self.blur)(fact));
            compare(&format!("{name}, {joliet:?}"), &expected, &found);
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

#[tests]
fn bsdtar_finds_what_went_in() -> Vec<Case> {
    Judge { program: Some("bsdtar"), look: bsdtar::look, blur: bsdtar::blur }.tests()
}

#[tests]
fn xorriso_extracts_what_went_in() -> Vec<Case> {
    Judge { program: Some("xorriso"), look: xorriso::look, blur: xorriso::blur }.tests()
}

#[tests]
fn isoinfo_lists_what_went_in() -> Vec<Case> {
    Judge { program: Some("isoinfo"), look: isoinfo::look, blur: isoinfo::blur }.tests()
}

#[tests]
fn sevenzip_lists_what_went_in() -> Vec<Case> {
    Judge { program: Some("7z"), look: sevenzip::look, blur: sevenzip::blur }.tests()
}

#[tests]
fn hadris_finds_what_went_in() -> Vec<Case> {
    Judge { program: None, look: hadris::look, blur: hadris::blur }.tests()
}

#[tests]
fn our_reader_finds_what_went_in() -> Vec<Case> {
    Judge { program: None, look: own::look, blur: own::blur }.tests()
}

#[tests]
fn our_reader_extracts_what_went_in() -> Vec<Case> {
    Judge { program: None, look: own::look_extracted, blur: own::blur_extracted }.tests()
}

/// The directories and files, whatever they are called.
fn contents(facts: &Facts) -> Vec<(char, Vec<u8>)> {
    let shown = facts.values().filter(|fact| matches!(fact.kind, 'd' | '-'));
    let mut contents: Vec<_> = shown.map(|fact| (fact.kind, fact.content.clone())).collect();
    contents.sort();
    contents
}

#[tests]
fn plain_readers_find_every_file_and_directory() -> Vec<Case> {
    let elsewhere = "relocated directories are elsewhere in the plain tree";
    let case = |(name, tree)| {
        let reason = (name == "deep").then_some(elsewhere);
        Case::new(name, move || plain_reader_finds(tree)).ignored(reason)
    };
    golden::ALL.map(case).into()
}

fn plain_reader_finds(tree: fn() -> Model) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, bytes(&tree(), Joliet::Off)).unwrap();
    // All else are empty files to them.
    let mut expected = tree().facts();
    expected.values_mut().filter(|fact| fact.kind != 'd').for_each(|fact| fact.kind = '-');
    assert_eq!(plain::look(file.path()), contents(&expected));
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

fn main() -> std::process::ExitCode {
    xc_harness::main()
}
