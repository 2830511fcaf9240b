//! What is wrong with messages and can be seen in the source.

use std::path::Path;

use walkdir::WalkDir;

/// Literals that have runs of blanks on purpose: the keys at the foot of `top`.
const ALIGNED: &[&str] = &["up/down: choose a node   ", "enter, esc: back   "];

/// The string literals of Rust source, with lines continued by a backslash joined.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, from) = rest.split_at(at);
        let raw = before.trim_end_matches('#');
        let hashes = before.len() - raw.len();
        rest = if from.starts_with("//") {
            from.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(rest) = from.strip_prefix("'\"'").or(from.strip_prefix("'\\\"'")) {
            rest
        } else if !from.starts_with('"') {
            &from[1..]
        } else if raw.ends_with('r') {
            let end = format!("\"{}", "#".repeat(hashes));
            from[1..].split_once(&end).map_or("", |(_, rest)| rest)
        } else {
            let (literal, rest) = literal(&from[1..]);
            found.push(literal);
            rest
        };
    }
    found
}

/// A literal from behind its first quote, and what follows it.
fn literal(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = source.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &source[at + 1..]),
            '\\' => match chars.next() {
                Some((_, '\n')) => {
                    let rest = chars.as_str();
                    let blanks = rest.len() - rest.trim_start().len();
                    chars.by_ref().take(blanks).for_each(drop);
                }
                Some((_, escaped)) => text.extend(['\\', escaped]),
                None => {}
            },
            c => text.push(c),
        }
    }
    (text, "")
}

/// Whether a message of one line has more than one blank between words. Texts of several lines, such
/// as help and tables, are aligned by blanks.
fn has_run_of_blanks(literal: &str) -> bool {
    let one_line = !literal.contains('\n') && !literal.contains("\\n");
    let between_words = |(before, after): (&str, &str)| {
        let ends = |c: char| c.is_alphabetic() || ",;:.`}".contains(c);
        before.ends_with(ends) && after.trim_start().starts_with(|c: char| c.is_alphabetic())
    };
    one_line && literal.match_indices("  ").any(|(at, _)| between_words(literal.split_at(at)))
}

#[test]
fn runs_of_blanks_are_found() {
    let source = r##"
        // a comment's "a  b" is none
        let quote = '"';
        f(r#"raw  text"#, "one \
            two", "first  second", "left\n  right");
    "##;
    let found = literals(source);
    assert_eq!(found, ["one two", "first  second", "left\\n  right"]);
    let runs: Vec<_> = found.iter().map(|text| has_run_of_blanks(text)).collect();
    assert_eq!(runs, [false, true, false]);
}

#[test]
fn messages_have_no_runs_of_blanks() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("xcbuild");
    let is_test = |name: &str| name.starts_with("test") || name.ends_with("_tests.rs");
    let all = WalkDir::new(sources).into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        !(is_test(&name) && name != "testing" || ["target", "fuzz"].contains(&&*name))
    });
    let mut seen = 0;
    for entry in all.map(Result::unwrap) {
        if entry.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for literal in literals(text) {
            seen += 1;
            let aligned = ALIGNED.iter().any(|known| literal.starts_with(known));
            assert!(aligned || !has_run_of_blanks(&literal), "{:?}: {literal}", entry.path());
        }
    }
    assert!(seen > 1000, "{seen} literals");
}
