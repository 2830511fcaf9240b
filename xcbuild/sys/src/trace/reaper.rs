//! The process between us and the program, which outlives it and ends all that it leaves.
//!
//! A process group is left by whoever calls setsid(2). Nobody leaves the one that is marked to
//! adopt orphans (`PR_SET_CHILD_SUBREAPER`): whatever the program starts is a child of the reaper
//! in the end, and is ended by it. It also ends them when we are killed
//! (`PR_SET_PDEATHSIG`), when it is asked to (SIGTERM), and when the time is up.
//!
//! It is a fork of ours that never executes anything: everything here has to be safe between fork
//! and exec, so it allocates nothing, takes no locks and calls the kernel alone. rustix makes the
//! calls themselves; `Instant::now` is clock_gettime(2), which signal-safety(7) allows.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use libc::{c_int, sigset_t, timespec};
use rustix::fs::{Mode, OFlags};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group,
    set_child_subreaper, set_parent_process_death_signal, setpgid,
};

use super::line;

/// How long the program has to end by itself when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// The longest time that the kernel is asked to wait for a signal.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);
/// The children of the calling thread, by their numbers.
const CHILDREN: &std::ffi::CStr = c"/proc/thread-self/children";

/// Splits this process in two: gives `Ok` in the one that is to become the program; the other stays
/// behind, and ends when all is over.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn split(line: BorrowedFd<'_>, time: Duration) -> io::Result<()> {
    let before = block_all_signals()?;
    // Any number but zero turns it on.
    set_child_subreaper(Some(Pid::INIT))?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    match fork()? {
        Some(program) => stay(program, line, time),
        None => {
            setpgid(None, None)?;
            set_signal_mask(&before)
        }
    }
}

/// As fork(2): the child's number, `None` in the child. Not fork(3): its handlers take locks that
/// another thread of ours may have held.
#[allow(unsafe_code)]
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: without CLONE_VM and a stack the child goes on here on its own copy of all memory. It
    // has no other threads, and what they held stays held: as pre_exec(2)'s contract has it, both
    // sides only make calls of the kernel from here on, see above.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    match i32::try_from(child) {
        Ok(child) if child >= 0 => Ok(Pid::from_raw(child)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Serves as the reaper: waits for the program's end, ends what it left, and reports.
fn stay(program: Pid, line: BorrowedFd<'_>, time: Duration) -> ! {
    // The line moves to descriptor 0. Should that fail there is no one to report to, and what the
    // program left has to be ended all the same.
    let _ = rustix::stdio::dup2_stdin(line);
    close_all_but_stdin();
    let (mut status, timed_out) = wait(program, time);
    end_all(program, &mut status);
    let _ = line::ended(rustix::stdio::stdin(), status.unwrap_or(0), timed_out);
    exit()
}

/// Closes what the program's pipes and files are held open by in this process.
#[allow(unsafe_code)]
fn close_all_but_stdin() {
    // SAFETY: the owners of these descriptors are values of the process that was forked. None of
    // them is used or dropped here any more: `stay`, the only caller, leaves by `_exit` alone.
    unsafe { libc::syscall(libc::SYS_close_range, 1, c_int::MAX, 0) };
}

#[allow(unsafe_code)]
fn exit() -> ! {
    // SAFETY: ends the process at once, without handlers, destructors or buffers of the one that
    // was forked.
    unsafe { libc::_exit(0) }
}

/// Waits until the program ended, or was asked to and had its time for it: its status in the first
/// case, and whether its time was up.
fn wait(program: Pid, time: Duration) -> (Option<c_int>, bool) {
    let began = Instant::now();
    let signals = signal_set(&[libc::SIGCHLD, libc::SIGTERM]);
    let (mut asked, mut timed_out) = (None, false);
    loop {
        if let Some(status) = reap(program, WaitOptions::NOHANG) {
            return (Some(status), timed_out);
        }
        let (since, limit) = asked.map_or((began, time), |asked| (asked, GRACE));
        let left = limit.saturating_sub(since.elapsed());
        let signal = wait_for_signal(&signals, left.min(LONGEST_WAIT));
        let up = signal.is_none() && since.elapsed() >= limit;
        match asked {
            Some(_) if up => return (None, timed_out),
            None if up || signal == Some(libc::SIGTERM) => {
                (asked, timed_out) = (Some(Instant::now()), up);
                let _ = kill_process_group(program, Signal::TERM);
            }
            _ => {}
        }
    }
}

/// Reaps who ended; the program's status, if it is among them. With `NOHANG` all that ended, else
/// the next one.
fn reap(program: Pid, how: WaitOptions) -> Option<c_int> {
    loop {
        match rustix::process::wait(how) {
            Ok(Some((pid, status))) if pid == program => return Some(status.as_raw()),
            Ok(Some(_)) if how.contains(WaitOptions::NOHANG) => {}
            _ => return None,
        }
    }
}

/// Ends all that are left, those too that only become our children when their parents are gone.
fn end_all(program: Pid, status: &mut Option<c_int>) {
    loop {
        // The program's group; that fails when it has no members any more.
        let _ = kill_process_group(program, Signal::KILL);
        end_children();
        // Waits until one has ended, and leaves it to be reaped: fails when there are none.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        if rustix::process::waitid(WaitId::All, ended).is_err() {
            return;
        }
        *status = reap(program, WaitOptions::empty()).or(*status);
    }
}

/// Kills those of our children whose numbers the kernel gives at once.
fn end_children() {
    let mut buffer = [0_u8; 4096];
    let got = rustix::fs::open(CHILDREN, OFlags::RDONLY, Mode::empty())
        .and_then(|file| rustix::io::read(file, &mut buffer[..]));
    let mut number: i32 = 0;
    for byte in &buffer[..got.unwrap_or(0)] {
        if byte.is_ascii_digit() {
            number = number.saturating_mul(10).saturating_add(i32::from(byte - b'0'));
        } else {
            if let Some(child) = Pid::from_raw(number) {
                let _ = kill_process(child, Signal::KILL);
            }
            number = 0;
        }
    }
}

/// Waits for one of the signals, which are blocked; `None` when the time is up.
#[allow(unsafe_code)]
fn wait_for_signal(signals: &sigset_t, time: Duration) -> Option<c_int> {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = timespec { tv_sec: seconds, tv_nsec: i64::from(time.subsec_nanos()) };
    // SAFETY: the kernel reads the set and the time, which live through the call, and writes no
    // `siginfo_t`, since none is given.
    let signal = unsafe { libc::sigtimedwait(signals, std::ptr::null_mut(), &raw const time) };
    (signal > 0).then_some(signal)
}

/// Blocks all signals of this thread and gives the mask that it had.
#[allow(unsafe_code)]
fn block_all_signals() -> io::Result<sigset_t> {
    let mut all = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: writes the whole set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    let mut before = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: `all` was filled above; the mask until now is written to `before`.
    let done = unsafe { libc::sigprocmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: sigprocmask succeeded, and wrote it.
    Ok(unsafe { before.assume_init() })
}

#[allow(unsafe_code)]
fn set_signal_mask(mask: &sigset_t) -> io::Result<()> {
    // SAFETY: reads the mask; the one until now is not asked for.
    let done = unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The set of those signals.
#[allow(unsafe_code)]
fn signal_set(signals: &[c_int]) -> sigset_t {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: writes the whole set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset has initialised it.
    let mut set = unsafe { set.assume_init() };
    for signal in signals {
        // SAFETY: changes the set, which is ours.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    set
}
