//! `xcbuild inject`: overlays onto a machine that runs, over ssh.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap_complete::ArgValueCompleter;

use crate::cli::build::cdrom;
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::settings::table::verbs::InjectSettings;
use crate::ui;
use xc_cluster::access::Machine;
use xc_overlay::build::layers;
use xc_overlay::plan::plan;
use xc_store::store::Store;
use xc_store::tree::{self, AttributeList, Blob};

/// Unpack overlays on a running machine, over ssh
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
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
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let machine: InjectSettings = invocation.read()?;
        let Some(address) = machine.address else {
            bail!("say which machine: --addr=root@ADDRESS");
        };
        let sudo = match machine.sudo.as_deref() {
            Some("yes") => "sudo",
            other => other.unwrap_or_default(),
        };
        let machine = Machine::new(&address, machine.key, sudo)?;
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
                tree = tree::usr_merge(tree)?.tree;
            }
            let mut attributes = AttributeList::default();
            attributes.add(&tree);
            if let Some(first) = attributes.first() {
                ui::warn(format_args!(
                    "{}: capabilities or access lists, as of `/{first}`, are set only if the machine's tar does it by itself",
                    layer.name
                ));
            }
            let mut tar = Vec::new();
            tree::write_tar(&tree, &mut tar)?;
            machine.unpack(tar)?;
            ui::status("Injected", &layer.name);
        }
        Ok(ExitCode::SUCCESS)
    }
}
