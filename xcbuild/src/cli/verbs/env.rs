//! `xcbuild env`: every setting, fit for `eval $(xcbuild env)`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_overlay::embedded::Embedded;
use xc_store::store::StoreLayout;
use xc_sys::shell::quote;

/// Print every setting as NAME=value, for eval $(xcbuild env)
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Verb for Arguments {
    const NAME: &'static str = "env";
    const TAKES_SETTINGS: bool = true;

    /// Runs the verb.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let mut contract = settings.contract();
        // Scripts look into the directories on it: without a user's own, into that of our overlays.
        if settings.places.overlays.is_empty()
            && let Ok(ours) =
                Embedded::Overlays.directory(&StoreLayout::new(&settings.places.store))
            && let Some((_, value)) =
                contract.iter_mut().find(|(name, _)| *name == "XCLUSTER_OVLPATH")
        {
            *value = ours.display().to_string();
        }
        let mut text = String::new();
        for (name, value) in contract.iter().map(|(n, v)| (*n, v.as_str())).chain(settings.others())
        {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{name}={}", quoted_value(value));
        }
        ui::result_bytes(text.as_bytes());
        Ok(ExitCode::SUCCESS)
    }
}

/// A value as a shell takes it. An empty one needs no quotes here, and scripts cut these lines.
fn quoted_value(value: &str) -> String {
    if value.is_empty() { String::new() } else { quote(value) }
}
