//! What carries a cluster's networks: planned with the cluster, made before its nodes, undone after
//! them.
//!
//! | kind | made for the cluster | undone by |
//! |---|---|---|
//! | `user` | nothing: each qemu carries its own | |
//! | `netns` | taps, and missing bridges, in the namespace that xcbuild runs in | removing the links, from within or as root |
//! | `rootless` | a namespace that a process of ours holds, all bridges and taps in it, and slirp4netns for the outside | ending the processes |
//!
//! A `rootless` namespace has an owner, the user, who is root in it. It is entered by its files in
//! the run directory, which are links into `/proc` of the process that holds it:
//!
//! ```text
//!   <cluster>/namespace    what the holder (`tail -f`) shows when it is in its namespace: `ready`
//!   <cluster>/user.ns      -> /proc/<holder>/ns/user
//!   <cluster>/net.ns       -> /proc/<holder>/ns/net
//!   <cluster>/slirp.sock   slirp4netns's control socket; by it a stray slirp4netns is found
//! ```

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::state::{Helper, State};
use super::{RunDir, helper};
use crate::net::apply::{apply, existing, undo};
use crate::net::op::{Op, Undo};
use crate::net::{Kind, Wanted, bridges, rootless};
use crate::sys::exec::{Exec, find_program, own_program};
use crate::sys::{namespace, tap};
use crate::topology::Node;
use crate::topology::address::{HOST_BYTE, MAINTENANCE, NodeId, Prefix, ipv4, ipv6};
use crate::vm::process::ProcessId;

/// The verb by which xcbuild does steps within another namespace.
pub const APPLY_VERB: &str = "netns-apply";

/// Where slirp4netns may be.
const PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin";

/// A cluster's network, as its state has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Network {
    /// What qemu carries by itself.
    #[default]
    User,
    /// Bridges and taps in a namespace of `nsadd`.
    Netns {
        /// The namespace's file, where it has a name.
        file: Option<PathBuf>,
        /// Device and inode, by which the namespace is known again.
        identity: (u64, u64),
        /// What is still to be done.
        plan: Vec<Op>,
        /// What takes back all that was or is to be done.
        made: Vec<Undo>,
    },
    /// Bridges and taps in a namespace of the cluster's own.
    Rootless {
        /// What is still to be done.
        plan: Vec<Op>,
        /// The process that holds the namespace.
        holder: Helper,
        /// The process that joins it to the outside, if the host has the program.
        outside: Option<Helper>,
        /// The files by which it is entered.
        files: [PathBuf; 2],
    },
}

/// Steps to be done in a namespace by an xcbuild that was started in it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Steps {
    /// What is done.
    pub apply: Vec<Op>,
    /// What is taken back.
    pub undo: Vec<Undo>,
}

/// Which kind a start takes.
///
/// # Errors
/// When the kind that is wanted can't be used here, with the reason and the way out.
pub(super) fn choose(wanted: Wanted) -> Result<Kind> {
    let inside = || -> Result<bool> {
        let ours = namespace::own_name().is_some_and(|name| name.contains("_xcluster"));
        Ok(ours || !existing(["xcbr1"])?.is_empty())
    };
    match wanted {
        Wanted::Auto => Ok(if inside()? { Kind::Netns } else { Kind::User }),
        Wanted::This(Kind::Netns) if !inside()? => bail!(
            "--net=netns works within a namespace: `sudo -E xcbuild nsadd 1` makes one, \
             `sudo -E xcbuild nsenter 1` enters it"
        ),
        Wanted::This(kind) => Ok(kind),
    }
}

/// Plans the network of a cluster's first nodes.
///
/// # Errors
/// When something that it needs isn't there, or another cluster has its names.
pub(super) fn plan(
    run: &RunDir,
    kind: Kind,
    dns_port: u16,
    nodes: &[Node],
    prefix: &Prefix,
) -> Result<Network> {
    if kind == Kind::User {
        return Ok(Network::User);
    }
    tap::open().with_context(|| {
        format!(
            "--net={kind} needs taps, and {} can't be opened; --net=user needs none",
            tap::DEVICE
        )
    })?;
    if kind == Kind::Netns {
        let mut network = Network::Netns {
            file: namespace::own_name().map(|name| namespace::path(&name)),
            identity: namespace::own().context("can't tell which namespace this is")?,
            plan: Vec::new(),
            made: Vec::new(),
        };
        network.add(nodes, prefix)?;
        return Ok(network);
    }
    let file = |name: &str| run.path().join(name);
    let holder =
        [&rootless::HOLDER.map(str::to_owned)[..], &[text(&run.namespace_file())?]].concat();
    let outside = find_program("slirp4netns", OsStr::new(PROGRAMS)).map(|program| {
        let files = ["net.ns", "user.ns", "slirp.sock"].map(|name| text(&file(name)));
        let [net, user, socket] = files;
        let argv = rootless::outside(&text(&program)?, &net?, &user?, &socket?);
        Ok::<_, anyhow::Error>(Helper { argv, process: None })
    });
    let outside = outside.transpose()?;
    let mut plan = rootless::plan(prefix, outside.as_ref().map(|_| dns_port));
    plan.extend(bridges::plan(nodes, prefix, 0, &[]));
    let holder = Helper { argv: holder, process: None };
    Ok(Network::Rootless { plan, holder, outside, files: [file("user.ns"), file("net.ns")] })
}

impl Network {
    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::User => Kind::User,
            Self::Netns { .. } => Kind::Netns,
            Self::Rootless { .. } => Kind::Rootless,
        }
    }

    /// Plans what more nodes need.
    ///
    /// # Errors
    /// When another cluster has their taps.
    pub(super) fn add(&mut self, nodes: &[Node], prefix: &Prefix) -> Result<()> {
        let (bridges, taps) = bridges::links(nodes);
        match self {
            Self::User => {}
            Self::Netns { plan, made, .. } => {
                if let Some(taken) = existing(taps.iter().map(String::as_str))?.first() {
                    bail!(
                        "the tap {taken} is there already, of another cluster in this namespace perhaps; stop that one, or use another namespace"
                    );
                }
                let there = existing(bridges.iter().map(String::as_str))?;
                let owner = rustix::process::geteuid().as_raw();
                *plan = bridges::plan(nodes, prefix, owner, &there);
                made.extend(plan.iter().filter_map(Op::undo));
            }
            Self::Rootless { plan, files, .. } => {
                let words = enter_words(files);
                let known = bridges.iter().filter(|name| {
                    let show = [
                        words.as_slice(),
                        &["ip".into(), "link".into(), "show".into(), (*name).clone()],
                    ]
                    .concat();
                    exec(&show).is_some_and(|e| e.output().is_ok())
                });
                *plan = bridges::plan(nodes, prefix, 0, &known.cloned().collect::<Vec<_>>());
            }
        }
        Ok(())
    }

    /// The words before a program that is to run where the nodes' taps are; none if it runs there
    /// anyway.
    pub(super) fn launcher(&self) -> Vec<String> {
        match self {
            Self::Rootless { files, .. } => enter_words(files),
            _ => Vec::new(),
        }
    }

    /// The words before a program of this xcbuild's, which may run outside, that talks to nodes.
    pub fn reach(&self) -> Vec<String> {
        match self {
            Self::Netns { file: Some(file), identity, .. }
                if namespace::own().ok() != Some(*identity) =>
            {
                vec!["nsenter".into(), format!("--net={}", file.display()), "--".into()]
            }
            other => other.launcher(),
        }
    }

    /// The options of the DNS proxy, and whether it has to run where the nodes' taps are.
    pub(super) fn dns(&self, prefix: &Prefix) -> (Vec<String>, bool) {
        let inside = match self {
            Self::User | Self::Rootless { outside: Some(_), .. } => return (Vec::new(), false),
            Self::Netns { .. } => false,
            Self::Rootless { .. } => true,
        };
        let (v4, v6) = (ipv4(MAINTENANCE, HOST_BYTE), ipv6(prefix, MAINTENANCE, HOST_BYTE));
        (vec![format!("--listen={v4}"), format!("--listen={v6}")], inside)
    }

    /// Its processes.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        match self {
            Self::Rootless { holder, outside, .. } => {
                holder.process.into_iter().chain(outside.as_ref().and_then(|o| o.process)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Makes what is planned.
///
/// # Errors
/// What the kernel refuses, or a helper that does not come up. What was made is in the state.
pub(super) fn make(run: &RunDir, state: &mut State) -> Result<()> {
    match &mut state.network {
        Network::User => return Ok(()),
        Network::Netns { plan, .. } => apply(plan)?,
        Network::Rootless { .. } => make_rootless(run, state)?,
    }
    if let Network::Netns { plan, .. } | Network::Rootless { plan, .. } = &mut state.network {
        plan.clear();
    }
    state.save(run)
}

fn make_rootless(run: &RunDir, state: &mut State) -> Result<()> {
    let Network::Rootless { holder, files, plan, .. } = &state.network else { return Ok(()) };
    let (files, plan) = (files.clone(), plan.clone());
    let first = holder.process.is_none();
    if first {
        fs_err::write(run.namespace_file(), "ready\n")?;
        let holder = helper::start(
            run,
            state,
            ("namespace", "the process that holds the namespace"),
            "ready",
            |state| match &mut state.network {
                Network::Rootless { holder, .. } => Some(holder),
                _ => None,
            },
        )?;
        let holder = holder.context("the process that holds the namespace has ended")?;
        for (file, name) in files.iter().zip(["user", "net"]) {
            symlink(format!("/proc/{}/ns/{name}", holder.pid), file)
                .with_context(|| format!("can't make `{}`", file.display()))?;
        }
    }
    steps(&enter_words(&files), &Steps { apply: plan, undo: Vec::new() })?;
    let has_outside = matches!(&state.network, Network::Rootless { outside: Some(_), .. });
    if first && has_outside {
        helper::start(
            run,
            state,
            ("slirp4netns", "slirp4netns"),
            rootless::OUTSIDE_READY,
            |state| match &mut state.network {
                Network::Rootless { outside, .. } => outside.as_mut(),
                _ => None,
            },
        )?;
    }
    Ok(())
}

/// Takes back what was made, but for processes.
///
/// # Errors
/// What could not be removed, or that we may not enter the namespace it is in.
pub(super) fn take_back(network: &Network) -> Result<()> {
    match network {
        Network::Netns { file, identity, made, .. } => {
            in_namespace(file.as_deref(), *identity, made)
        }
        _ => Ok(()),
    }
}

/// Takes back the taps of nodes.
///
/// # Errors
/// As [`take_back`].
pub(super) fn drop_taps(network: &mut Network, nodes: &[NodeId]) -> Result<()> {
    let of_nodes =
        |link: &str| nodes.iter().any(|node| link.starts_with(&format!("xctap{}_", node.number())));
    match network {
        Network::User => Ok(()),
        Network::Netns { file, identity, made, .. } => {
            let is_theirs = |u: &Undo| matches!(u, Undo::Link(link) if of_nodes(link));
            let (gone, kept) = made.drain(..).partition(is_theirs);
            *made = kept;
            in_namespace(file.as_deref(), *identity, &gone)
        }
        // The taps that no qemu has open: nobody else makes any in there.
        Network::Rootless { files, .. } => {
            let words = enter_words(files);
            let list =
                [words.as_slice(), &["ls".into(), "/proc/self/net/dev_snmp6".into()]].concat();
            let Some(exec) = exec(&list) else { return Ok(()) };
            let names = String::from_utf8_lossy(&exec.output()?).into_owned();
            let gone = names.lines().filter(|n| of_nodes(n)).map(|n| Undo::Link(n.into()));
            steps(&words, &Steps { apply: Vec::new(), undo: gone.collect() })
        }
    }
}

fn in_namespace(file: Option<&Path>, identity: (u64, u64), made: &[Undo]) -> Result<()> {
    if namespace::own().ok() == Some(identity) {
        return undo(made);
    }
    match file {
        // With the namespace, all that was in it has gone.
        Some(file) if namespace::identity(file).ok() != Some(identity) => Ok(()),
        Some(file) if rustix::process::geteuid().is_root() => {
            namespace::within(file, || undo(made).map_err(std::io::Error::other))
                .with_context(|| format!("in `{}`", file.display()))
        }
        Some(file) => bail!(
            "the cluster's taps are in the namespace `{}`; stop it from there (sudo -E xcbuild nsenter)",
            file.display()
        ),
        None => {
            bail!("the cluster's taps are in another namespace, which has no name; stop it there")
        }
    }
}

/// Has an xcbuild do steps in the namespace that the words enter.
fn steps(words: &[String], steps: &Steps) -> Result<()> {
    let program = text(&own_program()?)?;
    let line = [words, &[program, APPLY_VERB.into()]].concat();
    let exec = exec(&line).context("an empty command")?;
    exec.stdin_bytes(serde_json::to_vec(steps)?).output()?;
    Ok(())
}

fn exec(words: &[String]) -> Option<Exec> {
    let (program, args) = words.split_first()?;
    Some(Exec::new(program).args(args))
}

/// The command that enters a rootless namespace, up to the program.
fn enter_words([user, net]: &[PathBuf; 2]) -> Vec<String> {
    let option = |name: &str, file: &Path| format!("--{name}={}", file.display());
    vec![
        "nsenter".into(),
        "--preserve-credentials".into(),
        option("user", user),
        option("net", net),
        "--".into(),
    ]
}

/// Whether qemu can leave the taps' frames to the kernel.
pub(super) fn has_vhost() -> bool {
    File::options().read(true).write(true).open("/dev/vhost-net").is_ok()
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(ToOwned::to_owned);
    text.with_context(|| format!("the path `{}` is not UTF-8", path.display()))
}
