//! Ctrl-C and its like: one flag and one file descriptor for the whole program.
//!
//! SIGINT, SIGTERM and SIGHUP don't end xcbuild at once: they set a flag and run what was
//! registered with [`on_cancel`]; the work that is under way sees it, unwinds and cleans up. A
//! second signal changes nothing, since the clean-up must not be cut short; SIGKILL is still there,
//! and what it leaves is cleaned from the run directory.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

type Action = Box<dyn FnOnce() + Send>;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static NEXT: AtomicU64 = AtomicU64::new(0);
static ACTIONS: Mutex<BTreeMap<u64, Action>> = Mutex::new(BTreeMap::new());
/// The end that becomes readable (by end of file) when the user cancels, and the end that is shut.
static PIPE: OnceLock<(OwnedFd, UnixStream)> = OnceLock::new();

/// The user asked us to stop.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Takes over the signals; called once, at the start of the program.
///
/// # Errors
/// When the kernel refuses the handlers or the socket pair.
pub fn install() -> io::Result<()> {
    pipe()?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in &mut signals {
            request();
        }
    })?;
    Ok(())
}

/// Cancels, as a signal does.
pub fn request() {
    REQUESTED.store(true, Ordering::SeqCst);
    let actions = std::mem::take(&mut *lock());
    actions.into_values().for_each(|action| action());
    if let Ok((_, shut)) = pipe() {
        let _ = shut.shutdown(std::net::Shutdown::Both);
    }
}

/// Whether the user asked us to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Stops here if the user asked for it.
///
/// # Errors
/// [`Cancelled`] if so.
pub fn check() -> Result<(), Cancelled> {
    if requested() { Err(Cancelled) } else { Ok(()) }
}

/// A descriptor that polls readable once the user asked us to stop, for waits on events.
///
/// # Errors
/// When the socket pair can't be made.
pub fn fd() -> io::Result<BorrowedFd<'static>> {
    pipe().map(|(read, _)| read.as_fd())
}

/// Runs the action when the user cancels, unless the guard is dropped first.
pub fn on_cancel(action: impl FnOnce() + Send + 'static) -> Guard {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let fired = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&fired);
    let run = move || {
        flag.store(true, Ordering::SeqCst);
        action();
    };
    lock().insert(id, Box::new(run));
    // A signal that came just before the insertion has already emptied the list.
    if requested()
        && let Some(late) = lock().remove(&id)
    {
        late();
    }
    Guard { id, fired }
}

/// Keeps an action registered; see [`on_cancel`].
#[derive(Debug)]
pub struct Guard {
    id: u64,
    fired: Arc<AtomicBool>,
}

impl Guard {
    /// Whether the action has run.
    pub fn fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock().remove(&self.id);
    }
}

fn lock() -> std::sync::MutexGuard<'static, BTreeMap<u64, Action>> {
    ACTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pipe() -> io::Result<&'static (OwnedFd, UnixStream)> {
    if let Some(pipe) = PIPE.get() {
        return Ok(pipe);
    }
    let (read, shut) = UnixStream::pair()?;
    Ok(PIPE.get_or_init(|| (read.into(), shut)))
}

/// For tests of what is done after a cancel.
#[cfg(any(test, feature = "fixture"))]
#[expect(clippy::unwrap_used, reason = "a failure here fails the test")]
pub mod fixture {
    use crate::exec::{Exec, own_program};

    /// Set in a process where the user has cancelled.
    const CANCELLED: &str = "XCBUILD_TEST_CANCELLED";

    /// Runs work after a cancel, which is final and of a whole process: the calling test, named by
    /// its path, is run again in its own process.
    pub fn after_a_cancel(test: &str, work: impl FnOnce()) {
        if std::env::var_os(CANCELLED).is_some() {
            super::request();
            return work();
        }
        let program = own_program().unwrap();
        let alone = Exec::new(program).args([test, "--exact", "--nocapture"]).env(CANCELLED, "1");
        let said = alone.capture().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("1 passed"), "{said}");
    }
}
