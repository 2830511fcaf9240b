//! The frames of a card as its qemu dumps them into a FIFO of ours.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};
use rustix::pipe::fcntl_setpipe_size;
use serde_json::json;

use crate::Cluster;
use crate::cluster::connect;
use crate::host::NodeHost;
use xc_topology::address::NodeId;
use xc_vm::process::ProcessId;
use xc_vm::qmp::Qmp;

/// How the ids of our dumps in qemu begin; the rest is the process that reads, and a number.
const DUMP: &str = "xc-capture";

/// How many bytes wait in a FIFO while we are busy: the most that anybody may have.
const FIFO_SIZE: usize = 1 << 20;

/// The number of this process's next dump: it may have several of one qemu, by recordings that follow
/// each other or run at once.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A dump in a qemu, removed when dropped.
#[derive(Debug)]
pub(super) struct Dump {
    host: Arc<dyn NodeHost>,
    qmp: PathBuf,
    id: String,
}

impl Dump {
    /// Has a node's qemu dump what passes one of its netdevs, and gives the end to read from. The FIFO
    /// has a name in the run directory until qemu has opened it.
    pub(super) fn start(
        cluster: &Cluster,
        node: NodeId,
        netdev: &str,
        snaplen: u32,
    ) -> Result<(Self, File)> {
        let own = ProcessId::own().context("/proc does not show this process")?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{DUMP}-{}-{}-{number}", own.pid, own.start);
        let fifo = Fifo::make(cluster.run().path().join(&id))?;
        let mut line = cluster.qmp(node)?;
        remove_orphans(&mut line)?;
        line.execute(
            "object-add",
            json!({
                "qom-type": "filter-dump", "id": id, "netdev": netdev,
                "file": fifo.path, "maxlen": snaplen,
            }),
        )?;
        let (host, qmp) = (cluster.host().clone(), cluster.files(node).qmp);
        let dump = Self { host, qmp, id };
        Ok((dump, fifo.reader()?))
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        // A qemu that has ended has no dump any more; one that is busy loses it to the next capture.
        if let Ok(mut qmp) = connect(&*self.host, &self.qmp) {
            let _ = qmp.execute("object-del", json!({ "id": self.id }));
        }
    }
}

/// Removes the dumps in a qemu of readers that have ended.
fn remove_orphans(qmp: &mut Qmp) -> Result<()> {
    let objects = qmp.execute("qom-list", json!({ "path": "/objects" }))?;
    let names = objects.as_array().into_iter().flatten().filter_map(|o| o["name"].as_str());
    for name in names {
        let Some(reader) = name.strip_prefix(DUMP) else { continue };
        let mut parts = reader.split('-').skip(1);
        let pid = parts.next().and_then(|n| n.parse().ok());
        let start = parts.next().and_then(|n| n.parse().ok());
        let alive = pid.zip(start).is_some_and(|(pid, start)| ProcessId { pid, start }.is_alive());
        if !alive {
            qmp.execute("object-del", json!({ "id": name }))?;
        }
    }
    Ok(())
}

/// A FIFO that is open for reading; its name goes when dropped.
struct Fifo {
    path: PathBuf,
    file: File,
}

impl Fifo {
    fn make(path: PathBuf) -> Result<Self> {
        let failed = || format!("can't make the FIFO `{}`", path.display());
        remove(&path)?;
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).with_context(failed)?;
        // Open before qemu opens it: qemu would wait for a reader, and all of the node with it.
        let flags = OFlags::NONBLOCK.bits() as i32;
        let file = File::options().read(true).custom_flags(flags).open(&path);
        let file = file.with_context(failed)?;
        // A smaller one will do where the user has too many.
        let _ = fcntl_setpipe_size(&file, FIFO_SIZE);
        Ok(Self { path, file })
    }

    /// The end to read from, once qemu writes.
    fn reader(&self) -> Result<File> {
        fcntl_setfl(&self.file, OFlags::empty()).context("can't read the FIFO")?;
        self.file.try_clone().context("can't read the FIFO")
    }
}

/// Removes a FIFO that need not be there.
fn remove(path: &Path) -> Result<()> {
    match fs_err::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        result => Ok(result?),
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = remove(&self.path);
    }
}
