//! What shells that complete are told: they ask this program at each Tab, by the variable
//! [`VARIABLE`], so that names of overlays are those that there are then.

use std::ffi::OsStr;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::CompleteEnv;

use super::build::overlays as search;
use crate::settings::{Given, Settings};

/// Set by the shell's script to the shell's name when it asks.
pub(super) const VARIABLE: &str = "XCBUILD_COMPLETE";

/// Answers a shell that asks, and then ends the program; else does nothing.
pub(super) fn answer() {
    CompleteEnv::with_factory(super::command).var(VARIABLE).complete();
}

/// The overlays whose names begin so, with what they are for; files, where a path is begun.
pub(super) fn overlays(begun: &OsStr) -> Vec<CompletionCandidate> {
    let text = begun.to_string_lossy();
    if text.contains('/') || text.starts_with('.') {
        return PathCompleter::any().complete(begun);
    }
    // A shell that completes has nobody to tell errors to.
    let places = Settings::resolve(Given::of_process()).ok();
    let Some(places) = places.and_then(|settings| search::search(&settings).ok()) else {
        return Vec::new();
    };
    let all = places.all().into_iter().filter(|overlay| overlay.name.starts_with(&*text));
    all.map(|overlay| {
        let help = search::description(&places, &overlay);
        CompletionCandidate::new(overlay.name).help(Some(help.into()))
    })
    .collect()
}
