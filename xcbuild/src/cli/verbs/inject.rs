//! `xcbuild inject`: overlays onto a machine that runs, over ssh.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap_complete::ArgValueCompleter;
use serde::Serialize;

use crate::cli::build::cdrom;
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_cluster::access::Machine;
use xc_overlay::build::layers;
use xc_overlay::plan::plan;
use xc_store::store::Store;
use xc_store::tree::{self, Blob};

/// Unpack overlays on a running machine, over ssh
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The overlays, in order
    #[arg(required = true, value_name = "OVL", add = ArgValueCompleter::new(completion::overlays))]
    overlays: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "inject";

    /// Runs the verb.
    ///
    /// # Errors
    /// When an overlay can't be built, or the machine can't be reached or doesn't take it.
    fn run(&self, mut variables: Variables) -> Result<ExitCode> {
        set_options(&mut variables, &self.options);
        let settings = Settings::resolve(variables)?;
        let variables = &settings.variables;
        let Some(address) = variables.get("__addr") else {
            bail!("say which machine: --addr=root@ADDRESS");
        };
        let sudo = match variables.or("__sudo", "").as_str() {
            "yes" => "sudo".to_owned(),
            other => other.to_owned(),
        };
        let machine = Machine::new(address, variables.get("__key").map(PathBuf::from), &sudo)?;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        let params = cdrom::params(&settings, &store)?;
        let built = layers(&plan(&params.search, &self.overlays)?, &params, &store)?;
        let merged = machine.is_usr_merged()?;
        for layer in &built {
            let Some(path) = store.blob(&layer.blob.digest)? else {
                bail!("the layer of `{}` went missing from the store", layer.name);
            };
            let mut tree = tree::from_tar(&Blob::open(&path)?)?;
            // Where /bin is a link, a directory of that name would take its place.
            if merged {
                tree = tree::usr_merge(tree)?;
            }
            let mut tar = Vec::new();
            tree::write_tar(&tree, &mut tar)?;
            machine.unpack(tar)?;
            ui::status("Injected", &layer.name);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Which machine, and how it is entered.
#[derive(Debug, clap::Args, Serialize)]
struct Options {
    /// The machine, as in root@192.168.0.1 or ssh://root@127.0.0.1:12301
    #[arg(long, value_name = "ADDRESS")]
    addr: Option<String>,
    /// The ssh key to use
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The command by which the user of the address becomes root there
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, require_equals = true, default_missing_value = "sudo")]
    sudo: Option<String>,
}
