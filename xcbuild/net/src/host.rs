//! Namespaces joined to the host: made, recorded, and removed without a trace.
//!
//! What is about to be made on the host is written down first, so that a later `nsdel` removes it
//! also after a crash half way:
//!
//! ```text
//!   /run/xcbuild/lock          held while a namespace is made or removed
//!   /run/xcbuild/<name>.json   what it is: see `Record`
//! ```
//!
//! Forwarding is turned on for the first namespace and set back after the last: a namespace that is
//! removed while others are left transfers what was noted to one of them.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::apply::{apply, existing, undo, within};
use super::forwarding;
use super::namespace::Plan;
use super::op::Undo;
use xc_report::Reporter;
use xc_sys::files::write_atomic;
use xc_sys::lock::Lock;
use xc_sys::namespace;
use xc_sys::netlink::Netlink;

/// Where the records are.
const DIRECTORY: &str = "/run/xcbuild";

/// What was made on the host for a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// The namespace's name.
    name: String,
    /// What reverts it: link and table.
    made: Vec<Undo>,
    /// What sets forwarding back, where this namespace is the one that has it noted.
    forwarding: Vec<Undo>,
}

/// Makes a namespace and joins it to the host.
///
/// # Errors
/// When we aren't root, something of that name is there, or the kernel refuses; nothing is left
/// then.
pub fn add(plan: &Plan, reporter: &Reporter) -> Result<()> {
    need_root("nsadd")?;
    let _lock = lock(reporter)?;
    refuse_taken(plan)?;
    let forwarding = forwarding::plan(&forwarding::read());
    let link = Undo::Link(plan.host_link.clone());
    let record = Record {
        name: plan.name.clone(),
        made: vec![link, Undo::Table(plan.host_link.clone())],
        forwarding: forwarding.undo,
    };
    save(&record)?;
    let made = make(plan).and_then(|()| apply(&forwarding.ops));
    made.map_err(|error| match teardown(&record) {
        Ok(()) => error,
        Err(left) => error.context(format!("and not all of it could be undone: {left:#}")),
    })
}

/// Removes a namespace and all that was made for it on the host.
///
/// # Errors
/// When we aren't root, no namespace has that name, processes run in it, or the kernel refuses.
pub fn remove(name: &str, reporter: &Reporter) -> Result<()> {
    need_root("nsdel")?;
    let _lock = lock(reporter)?;
    let Some(record) = load(&record_file(name))? else {
        let names: Vec<_> = records()?.into_iter().map(|r| r.name).collect();
        let there = if names.is_empty() { "none".into() } else { names.join(", ") };
        bail!("there is no namespace {name}; those that `xcbuild nsadd` made: {there}");
    };
    let inside = namespace::processes(&namespace::path(name));
    if !inside.is_empty() {
        let pids: Vec<_> = inside.iter().take(5).map(ToString::to_string).collect();
        bail!(
            "{} processes run in {name} (such as {}); `xcbuild stop` ends a cluster, `exit` a shell",
            inside.len(),
            pids.join(", ")
        );
    }
    teardown(&record)
}

/// Says what to do where only root may do it.
///
/// # Errors
/// When we aren't root.
pub fn need_root(verb: &str) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!("{verb} changes the host's network, which only root may: sudo -E xcbuild {verb} …")
}

fn refuse_taken(plan: &Plan) -> Result<()> {
    let name = &plan.name;
    if namespace::path(name).exists() || record_file(name).exists() {
        bail!("there is a namespace {name} already; `xcbuild nsdel` removes it");
    }
    if !existing([plan.host_link.as_str()])?.is_empty() {
        bail!(
            "the host has a link {} already, of another user's namespace perhaps; take another number",
            plan.host_link
        );
    }
    Ok(())
}

/// The namespace, the veth, both its ends, and all that is within.
fn make(plan: &Plan) -> Result<()> {
    let file = namespace::path(&plan.name);
    namespace::create(&plan.name).with_context(|| format!("can't make `{}`", file.display()))?;
    let cluster = fs::File::open(&file)?;
    Netlink::open()
        .and_then(|mut n| n.add_veth(&plan.host_link, &plan.cluster_link, cluster.file().as_fd()))
        .with_context(|| format!("can't make the link {}", plan.host_link))?;
    apply(&plan.host)?;
    within(&file, || apply(&plan.cluster))
}

/// Undoes a record, whatever of it is there, and removes it.
fn teardown(record: &Record) -> Result<()> {
    let mut failed = Vec::new();
    failed.extend(undo(&record.made).err());
    let path = namespace::path(&record.name);
    let gone = namespace::delete(&record.name);
    failed.extend(gone.with_context(|| format!("can't remove `{}`", path.display())).err());
    failed.extend(transfer(record).err());
    if let Some(first) = failed.first() {
        let more = failed.iter().skip(1).map(|e| format!("; {e:#}")).collect::<String>();
        bail!("{first:#}{more}");
    }
    Ok(fs::remove_file(record_file(&record.name))?)
}

/// Sets forwarding back, or leaves that to another namespace that still needs it.
fn transfer(record: &Record) -> Result<()> {
    if record.forwarding.is_empty() {
        return Ok(());
    }
    let other = records()?.into_iter().find(|r| r.name != record.name);
    match other {
        Some(mut other) => {
            other.forwarding.clone_from(&record.forwarding);
            save(&other)
        }
        None => undo(&record.forwarding),
    }
}

fn lock(reporter: &Reporter) -> Result<Lock> {
    let path = Path::new(DIRECTORY).join("lock");
    Lock::exclusive(&path, reporter).with_context(|| format!("can't lock `{}`", path.display()))
}

fn record_file(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{name}.json"))
}

fn save(record: &Record) -> Result<()> {
    let text = serde_json::to_vec_pretty(record).context("can't write a record")?;
    Ok(write_atomic(&record_file(&record.name), &text)?)
}

fn load(path: &Path) -> Result<Option<Record>> {
    match fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        bytes => serde_json::from_slice(&bytes?)
            .map(Some)
            .with_context(|| format!("`{}` is damaged", path.display())),
    }
}

fn records() -> Result<Vec<Record>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(DIRECTORY)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") {
            all.extend(load(&path)?);
        }
    }
    Ok(all)
}
