//! `docs/contract.md`: what it says is there.

use std::collections::BTreeSet;
use std::path::Path;

/// Every test function of the repository.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    let mut waiting = vec![root.join("tests"), root.join("xcbuild")];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                // Of Rust's own harness and of ours: `#[test]`, `#[test(…)]`, `#[tests]`.
                let after = text.split("#[test").skip(1);
                let names_of = after.filter_map(|rest| rest.split_once("fn ")?.1.split_once('('));
                names.extend(names_of.map(|(name, _)| name.to_owned()));
            }
        }
    }
    names
}

#[test]
fn the_page_of_the_contract_is_true() {
    let page = include_str!("../../../docs/contract.md");
    let tests = tests();
    let (mut items, mut named, mut differences) = (0, BTreeSet::new(), 0);
    for row in page.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| item ")) {
        // An escaped bar is a part of a cell.
        let row = row.replace("\\|", "¦");
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [item, names, note] = cells[..] else { panic!("three columns: {row}") };
        items += 1;
        differences += usize::from(note.starts_with("differs"));
        let names: Vec<&str> = names.split('`').filter(|n| !n.trim().is_empty()).collect();
        assert!(names != ["–"] || note.starts_with("differs"), "`{item}` has no test");
        named.extend(names.into_iter().filter(|n| *n != "–").map(str::to_owned));
    }
    let missing: Vec<_> = named.difference(&tests).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
    let count = format!("{items} items, {} tests, {differences} differences", named.len());
    assert!(page.contains(&count), "the page should say: {count}");
}
