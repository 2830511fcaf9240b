//! `xcbuild mkovl`: a new overlay from a template.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_overlay::create::{DEFAULT, create};
use xc_overlay::embedded::Embedded;
use xc_store::store::StoreLayout;

/// Make a new overlay from a template, and print its directory
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// plain, or tested: with test cases that run on a cluster of their own
    #[arg(long, default_value = DEFAULT)]
    template: String,
    /// Where to make it [default: the first directory of XCLUSTER_OVLPATH, or the current one]
    #[arg(long, value_name = "DIR")]
    ovldir: Option<PathBuf>,
    /// The overlay's name
    name: String,
}

impl Verb for Arguments {
    const NAME: &'static str = "mkovl";

    /// Runs the verb.
    ///
    /// # Errors
    /// When it is there already, or can't be made.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let first = settings.places.overlays.first().cloned();
        let directory = self.ovldir.clone().or(first).unwrap_or_else(|| PathBuf::from("."));
        let templates = Embedded::Templates.directory(&StoreLayout::new(&settings.places.store))?;
        let made = create(&templates, &self.template, &self.name, &directory)?;
        ui::result(made.display());
        ui::hint(format_args!("xcbuild mkcdrom network-topology {}", made.display()));
        Ok(ExitCode::SUCCESS)
    }
}
