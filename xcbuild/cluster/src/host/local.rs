//! This machine as the host of nodes: processes by `/proc` and pidfds, files as they are.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use fs_err as fs;

use super::{Memory, NodeHost, Watch, Written};
use xc_sys::exec::Exec;
use xc_vm::process::{self, Held, ProcessId};
use xc_vm::usage::{Usage, usage};

/// The machine that xcbuild runs on.
#[derive(Debug, Clone)]
pub struct LocalHost {
    /// Where the kernel tells what memory there is: proc_meminfo(5).
    meminfo: PathBuf,
}

impl Default for LocalHost {
    fn default() -> Self {
        Self { meminfo: "/proc/meminfo".into() }
    }
}

impl LocalHost {
    /// This machine, with the memory that a file tells of.
    #[cfg(test)]
    pub(crate) fn with_meminfo(meminfo: &Path) -> Self {
        Self { meminfo: meminfo.into() }
    }
}

impl NodeHost for LocalHost {
    fn spawn(&self, argv: &[String], log: &Path) -> Result<Option<ProcessId>> {
        let (program, args) = argv.split_first().context("an empty command")?;
        let open = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(log);
        let out = open.with_context(|| format!("can't write `{}`", log.display()))?;
        let err = out.try_clone().with_context(|| format!("can't write `{}`", log.display()))?;
        let child = Exec::new(program).args(args).cwd("/").makes_only_files().detached(out, err)?;
        Ok(i32::try_from(child.id()).ok().and_then(ProcessId::of))
    }

    fn is_alive(&self, process: ProcessId) -> bool {
        process.is_alive()
    }

    fn hold(&self, process: ProcessId) -> Result<Option<Held>> {
        process.hold().with_context(|| format!("can't watch process {}", process.pid))
    }

    fn end(&self, processes: &[ProcessId]) -> Vec<(ProcessId, String)> {
        process::end(processes)
    }

    fn find(&self, recognize: &dyn Fn(&[u8]) -> Option<PathBuf>) -> Vec<(ProcessId, PathBuf)> {
        process::find(recognize)
    }

    fn usage(&self, process: ProcessId) -> Option<Usage> {
        usage(process.pid)
    }

    fn watch(&self, directories: &[&Path]) -> Result<Watch> {
        Watch::new(directories)
    }

    fn read(&self, file: &Path, from: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Ok(mut file) = fs::File::open(file)
            && file.seek(SeekFrom::Start(from)).is_ok()
        {
            // What was read before an error is taken, and the rest comes with the next call.
            let _ = file.read_to_end(&mut bytes);
        }
        bytes
    }

    fn written(&self, file: &Path) -> Option<Written> {
        let metadata = fs::metadata(file).ok()?;
        Some(Written { length: metadata.len(), at: metadata.modified().ok()? })
    }

    fn touch(&self, file: &Path) -> Result<()> {
        let file = fs::OpenOptions::new().append(true).open(file)?;
        file.file().set_modified(SystemTime::now()).context("can't set a file's time")
    }

    fn remove(&self, file: &Path) -> Result<()> {
        match fs::remove_file(file) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            result => Ok(result?),
        }
    }

    fn connect(&self, socket: &Path) -> io::Result<UnixStream> {
        UnixStream::connect(socket)
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn memory(&self) -> Result<Memory> {
        let meminfo = fs::read_to_string(&self.meminfo)?;
        parse_meminfo(&meminfo)
            .with_context(|| format!("`{}` has no MemAvailable", self.meminfo.display()))
    }
}

/// As `/proc/meminfo` has it: proc_meminfo(5).
fn parse_meminfo(meminfo: &str) -> Option<Memory> {
    let mib = |name: &str| {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024)
    };
    Some(Memory { total: mib("MemTotal:")?, available: mib("MemAvailable:")? })
}

#[cfg(test)]
mod tests {
    use super::{Memory, parse_meminfo};

    #[test]
    fn memory_of_the_host_is_read_in_mib() {
        let text = "MemTotal:  4096 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(parse_meminfo(text), Some(Memory { total: 4, available: 2 }));
        assert_eq!(parse_meminfo("MemTotal: 1 kB\n"), None);
    }
}
