//! `mkcdrom`: the overlays of a command line, built and put into an ISO.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::Params;
use super::build::{Forecast, Layer, forecast, layers};
use super::inspect::{Hidden, conflicts, not_run};
use super::plan::{Planned, plan};
use super::recipe::DEFAULT_TOPOLOGY;
use xc_image::cdrom::{self, Layout, NamedLayer, Options};
use xc_image::index;
use xc_store::publish::publish;
use xc_store::store::{BlobRef, Store};
use xc_store::tree::TreePath;

/// The name of the layer with the lists of modules and libraries; no overlay can have it.
const INDEX: &str = ".index";

/// What `mkcdrom` did.
#[derive(Debug)]
pub struct Report {
    /// The layers, in their order.
    pub layers: Vec<Layer>,
    /// Overlays that were not named, each with the one that needs it.
    pub added: Vec<(String, String)>,
    /// Paths that overlays hide from each other; looked for when the ISO is new.
    pub hidden: Vec<Hidden>,
    /// Start scripts of new layers that no node runs, as they aren't executable, with their overlay.
    pub not_run: Vec<(String, TreePath)>,
    /// The ISO.
    pub iso: BlobRef,
    /// Whether the ISO was in the store.
    pub cached: bool,
    /// The time that all of it took.
    pub took: Duration,
}

/// Builds overlays and puts their ISO at a path; `None` without anything to put into it, which
/// removes it.
///
/// # Errors
/// When an overlay is unknown or can't be built, or the ISO can't be written. What stood at the
/// path is then left as it was.
pub fn mkcdrom(
    names: &[String],
    params: &Params,
    options: &Options<'_>,
    store: &Store,
    to: &Path,
) -> Result<Option<Report>> {
    let start = Instant::now();
    if names.is_empty() && options.script.is_none() && options.cidata.is_none() {
        return remove(to).map(|()| None);
    }
    let plan = plan(&params.search, names)?;
    check_topology(&plan, params)?;
    let layers = layers(&plan, params, store)?;
    let mut named: Vec<_> =
        layers.iter().map(|l| NamedLayer { name: l.name.clone(), blob: l.blob }).collect();
    if options.layout == Layout::Tree {
        let blobs: Vec<_> = layers.iter().map(|l| l.blob).collect();
        let lists = index::layer(&params.base_image, &blobs, store)?;
        named.extend(lists.map(|blob| NamedLayer { name: INDEX.into(), blob }));
    }
    let iso = cdrom::build(&named, options, store)?;
    publish(store, &iso.blob, to)?;
    let added = plan.into_iter().filter_map(|p| Some((p.overlay.name, p.needed_by?)));
    let (iso, cached) = (iso.blob, iso.cached);
    let hidden = if cached { Vec::new() } else { conflicts(&layers, store)? };
    let not_run = not_run(&layers, store)?;
    let added = added.collect();
    Ok(Some(Report { layers, added, hidden, not_run, iso, cached, took: start.elapsed() }))
}

/// An overlay that is made for one topology works in no other.
fn check_topology(plan: &[Planned], params: &Params) -> Result<()> {
    let topology = params.variables.or("TOPOLOGY", DEFAULT_TOPOLOGY);
    for planned in plan {
        let wanted = planned.manifest.as_ref().and_then(|m| m.topology.as_ref());
        if let Some(wanted) = wanted.filter(|w| w.0 != topology) {
            let name = &planned.overlay.name;
            bail!("`{name}` needs TOPOLOGY={0}, it is {topology}; export TOPOLOGY={0}", wanted.0);
        }
    }
    Ok(())
}

/// What [`mkcdrom`] would do with each overlay, without doing it.
///
/// # Errors
/// When an overlay is unknown, or what it names is not there.
pub fn dry_run(names: &[String], params: &Params, store: &Store) -> Result<Vec<Forecast>> {
    let plan = plan(&params.search, names)?;
    check_topology(&plan, params)?;
    forecast(&plan, params, store)
}

fn remove(iso: &Path) -> Result<()> {
    match fs::remove_file(iso) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).context("without overlays the ISO is removed")
        }
        _ => Ok(()),
    }
}
