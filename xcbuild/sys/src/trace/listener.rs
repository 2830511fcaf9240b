//! The loop that is told of stopped calls and lets them go on.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::Flow;
use super::calls::{Call, Stopped};
use super::task::Task;
use crate::wait::{CancelMode, Waiter, Woken};

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` of linux/seccomp.h.
const SYNC_WAKE_UP: u64 = 1;

/// Serves a listener until nobody is left under its filter. Gives whether the watcher wanted an end.
///
/// # Errors
/// When the kernel fails us; the program can't go on then.
pub fn serve(
    listener: &OwnedFd,
    watch: &mut dyn FnMut(&Task, Call) -> Flow,
    mut end: impl FnMut(),
) -> io::Result<()> {
    set_flags(listener);
    // A cancel ends the program, and with it the listener.
    let mut waiter = Waiter::new(CancelMode::Ignore).readable(listener);
    loop {
        match waiter.wait()? {
            Woken::Ready(ready) if ready.has_input(0) => {}
            _ => return Ok(()),
        }
        let Some((id, task, stopped)) = receive(listener)? else { continue };
        // A program that we may not look into hides what it reads.
        let call = stopped.call(&task).unwrap_or_else(|e| {
            tracing::debug!(?stopped, "can't look into the task: {e}");
            // Gone by itself: it asks nothing more.
            is_waiting(listener, id)
                .then_some(Call::Unknown("a program that may not be looked into"))
        });
        if let Some(call) = call
            && watch(&task, call) == Flow::End
        {
            end();
        }
        go_on(listener, id)?;
    }
}

#[allow(unsafe_code)]
fn set_flags(listener: &OwnedFd) {
    // SAFETY: an ioctl that takes a number; older kernels refuse it, and are only slower.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP);
    }
}

#[allow(unsafe_code)]
fn is_waiting(listener: &OwnedFd, id: u64) -> bool {
    // SAFETY: the ioctl reads a number.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0
    }
}

/// The next stopped call; `None` if it was gone before we came to it.
#[allow(unsafe_code)]
fn receive(listener: &OwnedFd) -> io::Result<Option<(u64, Task, Stopped)>> {
    // SAFETY: the kernel wants it zeroed and fills it; all bit patterns are values of the type.
    let told = unsafe {
        let mut told = MaybeUninit::<libc::seccomp_notif>::zeroed();
        let fd = listener.as_fd().as_raw_fd();
        if libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_RECV, told.as_mut_ptr()) < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR) => Ok(None),
                _ => Err(error),
            };
        }
        told.assume_init()
    };
    let task = Task { id: told.pid, instruction: told.data.instruction_pointer };
    let stopped =
        Stopped { architecture: told.data.arch, number: told.data.nr, arguments: told.data.args };
    Ok(Some((told.id, task, stopped)))
}

#[allow(unsafe_code)]
fn go_on(listener: &OwnedFd, id: u64) -> io::Result<()> {
    let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1);
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error: 0, flags };
    // SAFETY: the ioctl reads the answer.
    let sent = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer)
    };
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // It was killed in the meantime.
        Some(libc::ENOENT) => Ok(()),
        _ if sent < 0 => Err(error),
        _ => Ok(()),
    }
}
