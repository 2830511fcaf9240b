//! Carries out plans in the calling thread's network namespace, and reverts them.
//!
//! A plan is done as a whole or not at all: what fails is followed by the undoing of what was done.
//! Undoing goes on after an error and gives all of them.

use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::op::{Op, Undo};
use xc_sys::exec::Exec;
use xc_sys::netlink::Netlink;
use xc_sys::{namespace, tap};

/// Where nft is; the `PATH` of a user often lacks it.
const PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// Does all steps.
///
/// # Errors
/// That of the first step that failed, with what could not be undone then.
pub fn apply(ops: &[Op]) -> Result<()> {
    let mut netlink = Netlink::open().context("can't talk to the kernel's network")?;
    for (done, op) in ops.iter().enumerate() {
        let Err(error) = one(&mut netlink, op) else { continue };
        let error = error.context(format!("can't do `{op}`"));
        let made: Vec<_> = ops[..done].iter().filter_map(Op::undo).collect();
        return Err(match undo(&made) {
            Ok(()) => error,
            Err(left) => error.context(format!("and not all of it could be undone: {left:#}")),
        });
    }
    Ok(())
}

/// Undoes what is there of all that, the last first.
///
/// # Errors
/// One that names everything that could not be undone.
pub fn undo(made: &[Undo]) -> Result<()> {
    let mut netlink = Netlink::open().context("can't talk to the kernel's network")?;
    let failed = made.iter().rev().filter_map(|u| revert(&mut netlink, u).err());
    let failed: Vec<_> = failed.map(|e| format!("{e:#}")).collect();
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{}", failed.join("; "))
}

/// Does something within the namespace of a file, which only root may enter.
///
/// # Errors
/// When it can't be entered, and what the work itself gives.
pub fn within<T: Send>(file: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    namespace::within(file, || work().map_err(Failed))
        .map_err(|error| error.0.context(format!("in the namespace `{}`", file.display())))
}

/// An error of entering a namespace, or of the work there.
struct Failed(anyhow::Error);

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self(anyhow::Error::new(error).context("can't enter it"))
    }
}

/// Which of those links are there.
///
/// # Errors
/// When the kernel refuses to tell.
pub fn existing<'a>(links: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>> {
    let mut netlink = Netlink::open().context("can't talk to the kernel's network")?;
    let mut there = Vec::new();
    for link in links {
        if netlink.exists(link).with_context(|| format!("can't look for the link {link}"))? {
            there.push(link.to_owned());
        }
    }
    Ok(there)
}

fn one(netlink: &mut Netlink, op: &Op) -> Result<()> {
    match op {
        Op::Bridge { name } => netlink.add_bridge(name)?,
        Op::Tap { name, owner, multi_queue } => tap::add(name, *owner, *multi_queue)?,
        Op::Mtu { link, mtu } => netlink.set_mtu(link, *mtu)?,
        Op::Plug { link, bridge } => netlink.plug(link, bridge)?,
        Op::Address { link, address, length } => netlink.add_address(link, *address, *length)?,
        Op::Up { link } => netlink.up(link)?,
        Op::DefaultRoute { via } => netlink.add_default_route(*via)?,
        Op::Sysctl { key, value } => write_setting(key, value)?,
        Op::Table { name, rules } => nft(&format!("table inet {name} {{\n{rules}}}\n"))?,
    }
    Ok(())
}

fn revert(netlink: &mut Netlink, undo: &Undo) -> Result<()> {
    match undo {
        Undo::Link(name) => match netlink.delete(name) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("can't remove the link {name}"))
            }
            _ => Ok(()),
        },
        // The empty table makes the deletion of one that isn't there succeed.
        Undo::Table(name) => nft(&format!("table inet {name} {{}}\ndelete table inet {name}\n")),
        Undo::Sysctl(key, value) => match read_setting(key) {
            Some(now) if now != *value => write_setting(key, value),
            _ => Ok(()),
        },
    }
}

/// A kernel setting of this namespace, by its path below `/proc/sys`; `None` if there is no such.
pub fn read_setting(key: &str) -> Option<String> {
    let text = fs_err::read_to_string(Path::new("/proc/sys").join(key)).ok()?;
    Some(text.trim_end().to_owned())
}

fn write_setting(key: &str, value: &str) -> Result<()> {
    Ok(fs_err::write(Path::new("/proc/sys").join(key), value)?)
}

fn nft(rules: &str) -> Result<()> {
    Exec::new("nft").env("PATH", PATH).args(["-f", "-"]).stdin_bytes(rules).output()?;
    Ok(())
}
