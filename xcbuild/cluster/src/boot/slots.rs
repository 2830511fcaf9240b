//! Admission by processor: how many nodes boot at once on this host.
//!
//! More nodes that boot than the host has cores for only make each other slow. So there are boot
//! slots, files next to the run directories, and a node boots while its xcbuild has locked one: of
//! however many clusters the user starts at once, no more nodes boot than one start would boot.
//! Whoever waits for a slot watches the directory: a slot's file is written to when it is given
//! back, and closed when its holder ends, however it ends.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fs_err as fs;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::rundir::private_directory;

/// How often slots are tried without news of them: a holder's end is told a moment before its lock
/// is gone.
const TRY: Duration = Duration::from_secs(1);

/// The slots of this start. It never waits for ever: see [`Slots::take`].
#[derive(Debug)]
pub(super) struct Slots {
    files: Vec<(fs::File, bool)>,
    /// Since when one was wanted in vain.
    waiting_since: Option<Instant>,
    /// How long that may go on.
    patience: Duration,
}

/// The right to let a node boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A slot of the host's.
    Numbered(usize),
    /// Not one of them: nodes of this start are not limited by them, or nobody gives one back.
    Unlimited,
}

impl Slots {
    /// So many slots, shared by all clusters below `root`.
    ///
    /// # Errors
    /// When their files can't be made.
    pub(super) fn open(root: &Path, count: usize, patience: Duration) -> Result<Self> {
        private_directory(root)?;
        let open = |number| {
            let path: PathBuf = root.join(format!(".boot-{number}.lock"));
            let mut options = fs::OpenOptions::new();
            Ok((options.create(true).truncate(false).write(true).open(path)?, false))
        };
        let files = (1..=count).map(open).collect::<Result<_>>()?;
        Ok(Self { files, waiting_since: None, patience })
    }

    /// Takes a slot if one is free, or one beyond them if none of ours boots and nobody has given a
    /// slot back for longer than a node may take to boot: who has them hangs.
    ///
    /// # Errors
    /// When the file system has no locks.
    pub(super) fn take(&mut self, none_boots: bool) -> Result<Option<Slot>> {
        for (number, (file, ours)) in self.files.iter_mut().enumerate().filter(|(_, f)| !f.1) {
            match flock(&*file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    (*ours, self.waiting_since) = (true, None);
                    return Ok(Some(Slot::Numbered(number)));
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(error) => return Err(error).context("can't lock a boot slot"),
            }
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let hang = none_boots && since.elapsed() >= self.patience && !self.moves();
        Ok(hang.then_some(Slot::Unlimited))
    }

    /// Whether a slot was given back within that time.
    fn moves(&self) -> bool {
        let given = self.files.iter().filter_map(|(file, _)| file.metadata().ok()?.modified().ok());
        given.max().is_some_and(|at| at.elapsed().is_ok_and(|ago| ago < self.patience))
    }

    /// When to try again without news.
    pub(super) fn try_again(&self) -> Option<Instant> {
        self.waiting_since.map(|_| Instant::now() + TRY)
    }

    /// Gives a slot back, and tells those who wait.
    pub(super) fn give_back(&mut self, slot: Slot) {
        use std::io::{Seek, Write};
        let Slot::Numbered(number) = slot else { return };
        let Some((file, ours)) = self.files.get_mut(number) else { return };
        *ours = false;
        // Whatever fails here only has others find the slot a moment later.
        let _ = flock(&*file, FlockOperation::Unlock);
        let _ = file.rewind().and_then(|()| file.write_all(b"\n"));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Slot, Slots};
    use crate::host::{Watch, Woken};

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn two_starts_share_the_slots_and_hear_of_each_other() {
        let root = tempfile::tempdir().unwrap();
        let open = || Slots::open(root.path(), 2, LONG).unwrap();
        let (mut first, mut second) = (open(), open());
        assert_eq!(first.take(true).unwrap(), Some(Slot::Numbered(0)));
        assert_eq!(second.take(true).unwrap(), Some(Slot::Numbered(1)));
        let watch = Watch::new(&[root.path()]).unwrap();
        assert_eq!((first.take(false).unwrap(), second.take(true).unwrap()), (None, None));
        assert!(second.try_again().is_some());
        assert_eq!(watch.wait(&[], Instant::now()).unwrap(), Woken::TimedOut, "a try is no news");

        first.give_back(Slot::Numbered(0));
        assert_eq!(watch.wait(&[], Instant::now() + LONG).unwrap(), Woken::Changed);
        assert_eq!(second.take(true).unwrap(), Some(Slot::Numbered(0)));
        assert!(second.try_again().is_none());
        assert_eq!(watch.wait(&[], Instant::now()).unwrap(), Woken::TimedOut);
        // As when its process is killed.
        drop(second);
        assert_eq!(watch.wait(&[], Instant::now() + LONG).unwrap(), Woken::Changed);
        assert_eq!(first.take(true).unwrap(), Some(Slot::Numbered(0)));
    }

    #[test]
    fn nobody_waits_for_ever_for_a_holder_that_hangs() {
        let root = tempfile::tempdir().unwrap();
        let mut hangs = Slots::open(root.path(), 1, LONG).unwrap();
        hangs.take(true).unwrap();
        let mut other = Slots::open(root.path(), 1, Duration::ZERO).unwrap();
        assert_eq!(other.take(false).unwrap(), None, "one of its own boots: it will be told");
        let mut patient = Slots::open(root.path(), 1, LONG).unwrap();
        assert_eq!(patient.take(true).unwrap(), None);
        patient.waiting_since = Instant::now().checked_sub(LONG);
        assert_eq!(patient.take(true).unwrap(), None, "a slot was given back a moment ago");
        assert_eq!(other.take(true).unwrap(), Some(Slot::Unlimited));
        other.give_back(Slot::Unlimited);
    }
}
