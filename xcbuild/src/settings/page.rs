//! The page of the settings, `docs/settings.md`, as the table has it.

use std::fmt::Write;

use super::definition::{Definition, Kind};
use super::table;

const HEAD: &str = "\
# Settings

Every setting is a variable of the environment; those with an option are also given on the command \
line, which counts more. An empty variable is an unset one. This page is made from the table in \
`xcbuild/src/settings/table/` by `make derived`.

`env`: `xcbuild env` prints it, and overlays' scripts always get it. Other variables that begin with \
`__` or `xcluster_`, and those marked `scripts`, overlays' scripts get if they are set, but for those \
marked `neutral`, which decide nothing that is built. `node`: single nodes have it by their number, \
`__mem201`.

| variable | option of | values | default | notes | what it is |
|---|---|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for definition in table::all() {
        let Definition { variable, .. } = definition;
        let default = definition.default_text().map_or(String::new(), |text| format!("`{text}`"));
        let doc = definition.text().replace('|', "\\|");
        let columns =
            [options(definition), values(definition.kind), default, notes(definition), doc];
        let _ = writeln!(page, "| `{variable}` | {} |", columns.join(" | "));
    }
    page
}

fn options(definition: &Definition) -> String {
    let Some(option) = definition.option else { return String::new() };
    let verbs: Vec<_> = definition.verbs.iter().copied().flatten().copied().collect();
    let verbs = if verbs.is_empty() { "all that take settings".into() } else { verbs.join(", ") };
    format!("`--{option}`: {verbs}")
}

fn values(kind: Kind) -> String {
    match kind {
        Kind::Number(min, u64::MAX) => format!("{min} and up"),
        Kind::Number(min, max) => format!("{min} to {max}"),
        Kind::Bytes(base) => format!("bytes, or K, M, G, T of {base}"),
        Kind::Text => "text".into(),
        Kind::Line => "words as of a shell".into(),
        Kind::Words(' ') => "words".into(),
        Kind::Words(between) => format!("words with `{between}` between"),
        Kind::Path => "a path".into(),
        Kind::Paths => "paths with `:` between".into(),
        Kind::Flag => "set, or `no`".into(),
        Kind::Choice(words) => words.join(", "),
        Kind::Networks => "networks, as in 0,1".into(),
    }
}

fn notes(definition: &Definition) -> String {
    let notes = [
        ("env", definition.env.is_some()),
        ("node", definition.per_node),
        ("scripts", definition.scripts),
        ("neutral", definition.neutral),
    ];
    let notes = notes.iter().filter(|(_, is)| *is).map(|(note, _)| *note);
    notes.collect::<Vec<_>>().join(", ")
}

#[test]
fn page_of_the_settings_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    if std::env::var_os("XCBUILD_WRITE_DERIVED").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let is = std::fs::read_to_string(path).unwrap_or_default();
    assert!(is == page(), "docs/settings.md is not what the table says: `make derived` writes it");
}
