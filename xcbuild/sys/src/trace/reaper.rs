//! The process between us and the program, which outlives it and ends all that it leaves.
//!
//! A process group is left by whoever calls setsid(2). Nobody leaves the one that is marked to
//! adopt orphans (`PR_SET_CHILD_SUBREAPER`): whatever the program starts is a child of the reaper
//! in the end, and is ended by it. It also ends them when we are killed
//! (`PR_SET_PDEATHSIG`), when it is told to (SIGTERM), and when the time is up.
//!
//! It is a fork of ours that never executes anything: everything here has to be safe between fork
//! and exec, so it allocates nothing, takes no locks and calls the kernel alone.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use libc::{c_int, pid_t, sigset_t, timespec};

use super::line;

/// How long the program has to end by itself when it is told to.
const POLITE: timespec = timespec { tv_sec: 2, tv_nsec: 0 };

/// Splits this process in two: gives `Ok` in the one that is to become the program; the other stays
/// behind, and ends when all is over.
///
/// # Errors
/// When the kernel refuses.
#[allow(unsafe_code)]
pub fn split(line: BorrowedFd<'_>, time: Duration) -> io::Result<()> {
    // SAFETY: all of it are calls of the kernel on values of this function.
    unsafe {
        let mut all = MaybeUninit::<sigset_t>::uninit();
        let mut before = MaybeUninit::<sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        check(libc::sigprocmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()))?;
        check(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM))?;
        // Not fork(3): its handlers take locks that another thread of ours may have held.
        let program = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as pid_t;
        check(program)?;
        if program == 0 {
            check(libc::setpgid(0, 0))?;
            return check(libc::sigprocmask(
                libc::SIG_SETMASK,
                before.as_ptr(),
                std::ptr::null_mut(),
            ));
        }
        stay(program, line, time)
    }
}

fn check(done: c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[allow(unsafe_code)]
unsafe fn stay(program: pid_t, line: BorrowedFd<'_>, time: Duration) -> ! {
    // SAFETY: the line moves to descriptor 0, and all others are closed: nobody here uses them.
    unsafe {
        libc::dup2(line.as_raw_fd(), 0);
        libc::syscall(libc::SYS_close_range, 1, c_int::MAX, 0);
        let (mut status, timed_out) = wait(program, time);
        end_all(program, &mut status);
        let _ = line::ended(BorrowedFd::borrow_raw(0), status.unwrap_or(0), timed_out);
        libc::_exit(0)
    }
}

/// Waits until the program ended, or was told to and had its time for it.
#[allow(unsafe_code)]
fn wait(program: pid_t, time: Duration) -> (Option<c_int>, bool) {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 4);
    let mut left = timespec { tv_sec: seconds, tv_nsec: i64::from(time.subsec_nanos()) };
    let (mut told, mut timed_out) = (false, false);
    let began = now();
    // SAFETY: the set is filled before it is used.
    let signals = unsafe {
        let mut signals = MaybeUninit::<sigset_t>::uninit();
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGCHLD);
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGTERM);
        signals.assume_init()
    };
    loop {
        if let Some(status) = reaped(program, libc::WNOHANG) {
            return (Some(status), timed_out);
        }
        // SAFETY: reads the set and the time, writes nothing.
        let signal = unsafe {
            libc::sigtimedwait(&raw const signals, std::ptr::null_mut(), &raw const left)
        };
        let up = signal < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
        if up && told {
            return (None, timed_out);
        }
        if (up || signal == libc::SIGTERM) && !told {
            (told, timed_out, left) = (true, up, POLITE);
            // SAFETY: signals a group of our own.
            unsafe { libc::kill(-program, libc::SIGTERM) };
        } else if !told {
            left.tv_sec = seconds.saturating_sub(now().saturating_sub(began)).max(0);
        }
    }
}

#[allow(unsafe_code)]
fn now() -> i64 {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec
}

/// Reaps who ended; the program's status, if it is among them. With `WNOHANG` all that ended, else
/// the next one.
#[allow(unsafe_code)]
fn reaped(program: pid_t, how: c_int) -> Option<c_int> {
    loop {
        let mut status = 0;
        // SAFETY: writes the status.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, how) };
        if pid == program {
            return Some(status);
        }
        if pid <= 0 || how == 0 {
            return None;
        }
    }
}

/// Ends all that are left, those too that only become our children when their parents are gone.
#[allow(unsafe_code)]
fn end_all(program: pid_t, status: &mut Option<c_int>) {
    loop {
        // SAFETY: a group of our own; it has no members any more if that fails.
        unsafe { libc::kill(-program, libc::SIGKILL) };
        end_children();
        // SAFETY: looks whether there is a child, and leaves it to be reaped.
        let left = unsafe {
            let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
            libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT)
        };
        if left < 0 {
            return;
        }
        *status = reaped(program, 0).or(*status);
    }
}

#[allow(unsafe_code)]
fn end_children() {
    let mut buffer = [0_u8; 4096];
    // SAFETY: reads a file into a buffer of that length; signals children of our own.
    unsafe {
        let file = libc::open(c"/proc/thread-self/children".as_ptr(), libc::O_RDONLY);
        if file < 0 {
            return;
        }
        let got = libc::read(file, buffer.as_mut_ptr().cast(), buffer.len());
        libc::close(file);
        let got = usize::try_from(got).unwrap_or(0);
        let mut pid: pid_t = 0;
        for byte in &buffer[..got] {
            if byte.is_ascii_digit() {
                pid = pid.saturating_mul(10).saturating_add(pid_t::from(byte - b'0'));
            } else {
                if pid > 0 {
                    libc::kill(pid, libc::SIGKILL);
                }
                pid = 0;
            }
        }
    }
}
