//! After a run: from what was asked to what has to be so for the result to be right again.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;

use super::found::{Found, Meta, Stamp};
use super::input::{HELPERS, Input, State, Trace, digest_of};
use super::loader;
use super::record::{Observed, Record};
use super::run_context::{RunContext, USER, machine};
use super::variables::{GENERAL, Mentions};
use super::watch::{Facts, Watcher};
use xc_store::key::Digest;

/// A file with a zero in its first bytes is not text.
const HEAD: u64 = 8192;

/// An input, its stamp where it can be trusted, and what its text mentions.
type Part = (Input, Option<Stamp>, Mentions);

/// A trace with the stamps of its inputs.
pub(super) type Traced = (Trace, Vec<Option<Stamp>>);

/// What a run depended on, with stamps that spare the next look at the contents; or why its result
/// can't be used again. `began` is the time of the run's begin by the clock of the file systems,
/// `layer` the tar that came of it.
///
/// # Errors
/// When the layer can't be read.
pub fn finish(
    watcher: Watcher<'_>,
    context: &RunContext,
    began: i64,
    layer: &Path,
) -> Result<Result<Traced, String>> {
    let Watcher { record, facts, .. } = watcher;
    if let Some(why) = facts.always {
        return Ok(Err(why));
    }
    if let Some(path) = record.replaced.iter().find(|p| is_older(p, began)) {
        return Ok(Err(format!("it wanted to write over `{}`", path.display())));
    }
    let counted: Vec<_> = record
        .seen
        .iter()
        .map(|(path, seen)| (Path::new(path), seen))
        .filter(|(path, seen)| record.counts(path, seen, || Found::at(path).exists()))
        .collect();
    let part = |(path, seen): &(&Path, &Observed)| part(path, seen, &record, context, began);
    let parts: Result<Vec<Part>, String> = counted.par_iter().map(part).collect();
    let mut parts = match parts {
        Ok(parts) => parts,
        Err(why) => return Ok(Err(why)),
    };
    parts.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let mut mentions = Mentions::default();
    parts.iter_mut().for_each(|(_, _, m)| mentions.join(std::mem::take(m)));
    let mut trace = Trace { shown: shown(layer, context)?, ..Trace::of_this_tool() };
    let mut stamps = Vec::new();
    for (input, stamp, _) in parts {
        trace.inputs.push(input);
        stamps.push(stamp);
    }
    variables(&mut trace, &facts, &mentions, context);
    trace.helpers = facts.helpers.then_some(HELPERS);
    trace.loader = facts.loader.then(|| loader_answers(&trace));
    Ok(Ok((trace, stamps)))
}

fn is_older(path: &Path, began: i64) -> bool {
    matches!(Found::at(path), Found::File(meta) if meta.stamp.changed < began)
}

fn part(
    path: &Path,
    seen: &Observed,
    record: &Record,
    context: &RunContext,
    began: i64,
) -> Result<Part, String> {
    let mut mentions = Mentions::default();
    let (state, stamp) = match (&seen.first, &seen.names) {
        (Found::File(first), _) if seen.read => {
            let state = content(path, *first, began)?;
            // What it copied and then ran is no longer only data.
            if !seen.data || record.ran_own {
                mention(path, context, &mut mentions);
            }
            (state, Some(first.stamp))
        }
        (Found::Directory(first), Some(names)) => {
            (State::listing(first.mode, first.owner, names), Some(first.stamp))
        }
        (first, _) => (State::of(first, &context.roots), None),
    };
    // A stamp of the run's own time may be that of a later change, too.
    let stamp = stamp.filter(|s| s.changed < began);
    Ok((Input { path: context.roots.name(path), state }, stamp, mentions))
}

fn content(path: &Path, first: Meta, began: i64) -> Result<State, String> {
    let changed = || format!("`{}` was changed while it ran", path.display());
    // The files of /proc are made when they are looked at.
    let of_moment = path.starts_with("/proc");
    let is_same = || {
        matches!(Found::at(path), Found::File(now) if now == first) && first.stamp.changed < began
    };
    if !of_moment && !is_same() {
        return Err(changed());
    }
    let digest = digest_of(path).ok_or_else(|| format!("`{}` can't be read", path.display()))?;
    if !of_moment && !is_same() {
        return Err(changed());
    }
    Ok(State::Content { mode: first.mode, owner: first.owner, digest })
}

/// Adds what a file mentions: any text, and programs that are the user's own.
fn mention(path: &Path, context: &RunContext, mentions: &mut Mentions) {
    let Ok(mut file) = std::fs::File::open(path) else { return };
    let mut bytes = Vec::new();
    let passes = |word: &str| context.is_variable(word);
    if file.by_ref().take(HEAD).read_to_end(&mut bytes).is_err() {
        return;
    }
    let is_text = memchr::memchr(0, &bytes).is_none();
    let is_own = context.roots.name(path).starts_with('$');
    if (is_text || is_own) && file.read_to_end(&mut bytes).is_ok() {
        mentions.add(&bytes, passes);
    }
}

fn variables(trace: &mut Trace, facts: &Facts, mentions: &Mentions, context: &RunContext) {
    let all = facts.all_variables.as_ref().or(mentions.all.as_ref());
    if let Some(why) = all {
        tracing::debug!("all variables count, because of {why}");
    }
    trace.all_variables = all.is_some();
    let named = mentions.names.iter().map(String::as_str).filter(|_| all.is_none());
    let every = context.names().filter(|_| all.is_some());
    for name in GENERAL.iter().copied().chain(named).chain(every) {
        trace.variables.insert(name.to_owned(), context.variable(name));
    }
    if facts.machine || (facts.machine_of_shell && mentions.machine) {
        trace.machine = Some(machine());
    }
}

/// What the loader's cache says now of the libraries in a trace.
pub(super) fn loader_answers(trace: &Trace) -> Digest {
    let names = trace.inputs.iter().filter_map(|i| i.path.rsplit('/').next());
    let names = names.filter(|n| loader::is_library(n)).map(ToOwned::to_owned).collect();
    let cache = std::fs::read(loader::CACHE).unwrap_or_default();
    let answers = loader::answers(&cache, &names);
    answers.map_or_else(|| Digest::of(&cache), |text| Digest::of(text.as_bytes()))
}

/// The roots and the user, where their texts show in a layer.
fn shown(layer: &Path, context: &RunContext) -> Result<BTreeMap<String, String>> {
    let mut needles: Vec<(&str, &[u8])> = Vec::new();
    for (name, texts) in context.roots.shown() {
        needles.extend(texts.into_iter().map(|text| (name, text)));
    }
    needles.extend(context.user().map(|user| (USER, user.as_bytes())));
    let found = search(layer, &needles)?;
    let value = |name: &str| Some((name.to_owned(), context.shown(name)?));
    Ok(found.into_iter().filter_map(value).collect())
}

/// Which of the texts a file has, as whole words.
fn search<'a>(file: &Path, needles: &[(&'a str, &[u8])]) -> Result<Vec<&'a str>> {
    const CHUNK: usize = 1 << 20;
    let overlap = needles.iter().map(|(_, text)| text.len() + 2).max().unwrap_or(0);
    let mut file = fs_err::File::open(file)?;
    let mut found = Vec::new();
    let mut window = Vec::new();
    loop {
        let kept = window.len().saturating_sub(overlap);
        window.drain(..kept);
        let got = file.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
        for (name, text) in needles {
            if !found.contains(name) && has_word(&window, text) {
                found.push(*name);
            }
        }
        if got == 0 {
            return Ok(found);
        }
    }
}

fn has_word(text: &[u8], word: &[u8]) -> bool {
    let is_part = |at: Option<usize>| {
        at.and_then(|at| text.get(at)).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    memchr::memmem::find_iter(text, word)
        .any(|at| !is_part(at.checked_sub(1)) && !is_part(Some(at + word.len())))
}

/// Whether a text shows in a file.
///
/// # Errors
/// When it can't be read.
pub fn shows(file: &Path, text: &[u8]) -> Result<bool> {
    Ok(!search(file, &[("", text)])?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{has_word, search};

    #[test]
    fn words_are_found_across_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let mut bytes = vec![b'.'; (1 << 20) - 3];
        bytes.extend(b"/home/u/ovl and more");
        std::fs::write(&path, bytes).unwrap();
        let needles: &[(&str, &[u8])] = &[("A", b"/home/u"), ("B", b"/home/v"), ("C", b"mor")];
        assert_eq!(search(&path, needles).unwrap(), ["A"]);
        assert!(has_word(b"u", b"u") && !has_word(b"user", b"u") && has_word(b"x:u:", b"u"));
    }
}
