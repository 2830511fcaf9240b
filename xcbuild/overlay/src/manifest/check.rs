//! What a manifest's fields must not say together.

use std::ops::Range;

use toml::Spanned;

use super::template::{is_name, variables};
use super::test::Case;
use super::{File, Manifest, Test};
use xc_report::suggest::did_you_mean;

/// Variables that every overlay may use without declaring them.
pub(super) const ALWAYS: &[&str] = &["SETUP"];

/// A problem and its place, in bytes from the start.
pub(super) struct Problem {
    pub place: usize,
    pub message: String,
}

impl Problem {
    fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { place: span.start, message: message.into() }
    }
}

/// The first problem, if there is one.
pub(super) fn first_problem(manifest: &Manifest) -> Option<Problem> {
    names_of_variables(manifest)
        .or_else(|| manifest.files.iter().find_map(content))
        .or_else(|| undeclared(manifest))
        .or_else(|| trees(manifest))
        .or_else(|| manifest.test.as_ref().and_then(cases))
}

fn names_of_variables(manifest: &Manifest) -> Option<Problem> {
    let bad = manifest.variables.keys().find(|name| !is_name(name.get_ref()))?;
    let message = format!("`{}` is not a variable's name (letters, digits and _)", bad.get_ref());
    Some(Problem::at(bad.span(), message))
}

fn content(file: &File) -> Option<Problem> {
    let contents = [
        file.text.is_some(),
        file.template.is_some(),
        file.from.is_some(),
        file.host.is_some(),
        file.exports.is_some(),
        file.joined.is_some(),
    ];
    let count = contents.into_iter().filter(|is| *is).count();
    let path = file.path.get_ref();
    const KINDS: &str = "text, template, from, host, exports or joined";
    let message = match count {
        1 => return None,
        0 => format!("`{path}` has no content: give it {KINDS}"),
        _ => format!("`{path}` has {count} contents: give it one of {KINDS}"),
    };
    Some(Problem::at(file.path.span(), message))
}

/// A variable that is used and not declared.
fn undeclared(manifest: &Manifest) -> Option<Problem> {
    let declared: Vec<&str> = manifest
        .variables
        .keys()
        .map(|k| k.get_ref().as_str())
        .chain(ALWAYS.iter().copied())
        .collect();
    let problem = |span: Range<usize>, name: &str| {
        let near = did_you_mean(name, declared.iter().copied());
        let message = format!("the variable `{name}` is not declared under [variables]{near}");
        Problem::at(span, message)
    };
    let templates = manifest.files.iter().flat_map(|f| [&f.template, &f.host]).flatten();
    let texts = templates.chain(manifest.trees.iter().flatten());
    let in_texts = texts.flat_map(|text| variables(text.get_ref()).map(|name| (text.span(), name)));
    let in_script = manifest.script.iter().flat_map(|s| &s.variables);
    in_texts
        .chain(in_script.map(|name: &Spanned<String>| (name.span(), name.get_ref().as_str())))
        .find(|(_, name)| !declared.contains(name))
        .map(|(span, name)| problem(span, name))
}

fn trees(manifest: &Manifest) -> Option<Problem> {
    let bad = manifest.trees.iter().flatten().find(|tree| {
        let text = tree.get_ref();
        text.starts_with('/') || text.is_empty() || text.split('/').any(|part| part == "..")
    })?;
    let message = format!("`{}` is not a directory in the overlay", bad.get_ref());
    Some(Problem::at(bad.span(), message))
}

/// A test has cases, and each has a name of its own.
fn cases(test: &Spanned<Test>) -> Option<Problem> {
    let (span, test) = (test.span(), test.get_ref());
    let cases = test.all();
    if cases.is_empty() {
        return Some(Problem::at(span, "[test] has no case: give it `command`, or [[test.case]]"));
    }
    let empty = "nodes = [] are no nodes: leave it out for node 1";
    if test.nodes.is_empty() {
        return Some(Problem::at(span, empty));
    }
    let bad = |(index, case): (usize, &Case)| {
        let (place, name) = (case.name.span(), case.name.get_ref());
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return Some(Problem::at(place, "a case's name is one line of text"));
        }
        if case.nodes.is_empty() {
            return Some(Problem::at(place, format!("`{name}`: {empty}")));
        }
        let twice = cases[..index].iter().any(|other| other.name.get_ref() == name);
        twice.then(|| Problem::at(place, format!("there are two cases `{name}`")))
    };
    cases.iter().enumerate().find_map(bad)
}
