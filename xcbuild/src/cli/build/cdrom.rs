//! Overlays built into the ISO that nodes get, and what is said of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::settings::Settings;
use crate::ui;
use xc_image::cdrom::Options;
use xc_overlay::Params;
use xc_overlay::build::Layer;
use xc_overlay::inspect::Hidden;
use xc_overlay::mkcdrom::{self, Report};
use xc_store::store::Store;

/// How many hidden files are told one by one.
const HIDDEN_SHOWN: usize = 20;

/// Builds the ISO, says what was built and what was there; gives whether there is an ISO now.
///
/// # Errors
/// When an overlay is unknown or can't be built, or the ISO can't be written.
pub(crate) fn build(
    settings: &Settings,
    store: &Store,
    names: &[String],
    options: &Options<'_>,
    explain: bool,
) -> Result<bool> {
    Ok(build_report(settings, store, names, options, explain)?.is_some())
}

/// As [`build`], and gives what was built.
///
/// # Errors
/// As for [`build`].
pub(crate) fn build_report(
    settings: &Settings,
    store: &Store,
    names: &[String],
    options: &Options<'_>,
    explain: bool,
) -> Result<Option<Report>> {
    let params = params(settings, store)?;
    let report = mkcdrom::mkcdrom(names, &params, options, store, &settings.places.cdrom)?;
    match &report {
        Some(report) => show(report, explain),
        None => ui::status("Removed", settings.places.cdrom.display()),
    }
    Ok(report)
}

/// What overlays are built with.
///
/// # Errors
/// When our own overlays can't be written to the store's directory.
pub(crate) fn params(settings: &Settings, store: &Store) -> Result<Params> {
    let current = std::env::current_dir().context("can't tell the current directory")?;
    let program = std::env::current_exe().context("can't tell where xcbuild itself is")?;
    super::overlay_params::of(settings, store, &current, &program)
}

fn show(report: &Report, explain: bool) {
    for (name, needed_by) in &report.added {
        ui::status("Added", format_args!("{name}, which {needed_by} needs"));
    }
    for layer in &report.layers {
        show_layer(layer, explain);
    }
    show_hidden(&report.hidden);
    for (overlay, path) in &report.not_run {
        ui::warn(format_args!(
            "{overlay}: /{path} is not executable, so no node runs it: chmod +x"
        ));
    }
    let (verb, size) = (if report.cached { "Cached" } else { "Built" }, report.iso.size);
    ui::status(verb, format_args!("ISO, {}, {} in all", ui::size(size), time(report.took)));
}

/// Files that later overlays hide, each once, with the overlay whose file a node gets.
fn show_hidden(hidden: &[Hidden]) {
    if hidden.is_empty() {
        return;
    }
    let winners: BTreeMap<String, &str> =
        hidden.iter().map(|h| (h.path.to_string(), h.by.as_str())).collect();
    let line = |(path, by): (&String, &&str)| format!("\n    /{path}: a node gets that of `{by}`");
    let list: String = winners.iter().take(HIDDEN_SHOWN).map(line).collect();
    let more = match winners.len().saturating_sub(HIDDEN_SHOWN) {
        0 => String::new(),
        more => format!("\n    and {more} more: --json lists them all"),
    };
    let count = winners.len();
    ui::warn(format_args!("{count} files are hidden by later overlays:{list}{more}"));
}

fn show_layer(layer: &Layer, explain: bool) {
    let verb = if layer.built.is_some() { "Built" } else { "Cached" };
    let Layer { name, blob, took, built } = layer;
    ui::status(verb, format_args!("{name}, {} in {}", ui::size(blob.size), time(*took)));
    if let Some(reason) = built.as_ref().filter(|_| explain) {
        ui::status("because", reason);
    }
}

fn time(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}
