//! A call that the kernel has stopped, and the task that made it: receiving, whether it still
//! waits, and letting it go on.
//!
//! A notification names its task by number, and a task that is killed leaves its number to another.
//! So what is read of a task counts only if the notification is valid afterwards: then the task
//! still waits in the same call, and it was the one that was read (seccomp_unotify(2), "Example:
//! checks before use").

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::stopped::Stopped;
use super::task::Task;

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` of linux/seccomp.h.
const SYNC_WAKE_UP: u64 = 1;

/// One stopped call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notification<'l> {
    listener: BorrowedFd<'l>,
    id: u64,
}

/// Has the kernel wake both sides on the same core (Linux 6.6). Older kernels refuse it, and are
/// only slower.
#[allow(unsafe_code)]
pub(super) fn set_sync_wake_up(listener: BorrowedFd<'_>) {
    let listener = listener.as_raw_fd();
    // SAFETY: this ioctl takes its argument by value and touches no memory of ours.
    unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
}

/// The next stopped call; `None` if its task was gone before we came to it.
///
/// # Errors
/// When the kernel fails us.
pub(super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<(Task<'_>, Stopped)>> {
    let notification = match next(listener) {
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => return Ok(None),
        received => received?,
    };
    let data = notification.data;
    let task = Task {
        id: notification.pid,
        instruction: data.instruction_pointer,
        notification: Notification { listener, id: notification.id },
    };
    let stopped = Stopped { architecture: data.arch, number: data.nr, arguments: data.args };
    Ok(Some((task, stopped)))
}

#[allow(unsafe_code)]
fn next(listener: BorrowedFd<'_>) -> io::Result<libc::seccomp_notif> {
    // The kernel refuses one that isn't zeroed.
    let mut notification = MaybeUninit::<libc::seccomp_notif>::zeroed();
    let to = notification.as_mut_ptr();
    // SAFETY: the kernel writes a `seccomp_notif` to `to`, which has room for one.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, to) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: numbers alone, zeroed above and filled by the kernel: each pattern of bits is one.
    Ok(unsafe { notification.assume_init() })
}

impl Notification<'_> {
    /// Whether the task still waits in this call: not killed, nor interrupted by a signal.
    #[allow(unsafe_code)]
    pub(super) fn is_valid(self) -> bool {
        let (listener, id) = (self.listener.as_raw_fd(), &raw const self.id);
        // SAFETY: the kernel reads a number of 64 bits at `id`, which is one that lives through the
        // call.
        unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_ID_VALID, id) == 0 }
    }

    /// Lets the task make the call itself. That it is gone is no error.
    ///
    /// # Errors
    /// When the kernel fails us.
    #[allow(unsafe_code)]
    pub(super) fn go_on(self) -> io::Result<()> {
        let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1);
        let mut answer = libc::seccomp_notif_resp { id: self.id, val: 0, error: 0, flags };
        let (listener, answer) = (self.listener.as_raw_fd(), &raw mut answer);
        // SAFETY: the kernel reads the answer, which lives through the call.
        let sent = unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, answer) };
        if sent >= 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            e if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            e => Err(e),
        }
    }
}
