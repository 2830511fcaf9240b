//! The loop that receives stopped calls and lets them go on.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::Flow;
use super::call::Call;
use super::notification::{receive, set_sync_wake_up};
use super::stopped::Stopped;
use super::task::Task;
use crate::wait::{CancelMode, Waiter, Woken};

/// Serves a listener until no process is left under its filter; `end` is called when the watcher wants
/// the program's end.
///
/// # Errors
/// When the kernel fails us; the program can't go on then.
pub(super) fn serve(
    listener: &OwnedFd,
    watch: &mut dyn FnMut(&Task<'_>, Call) -> Flow,
    mut end: impl FnMut(),
) -> io::Result<()> {
    set_sync_wake_up(listener.as_fd());
    // A cancel ends the program, and with it the listener.
    let mut waiter = Waiter::new(CancelMode::Ignore).readable(listener);
    loop {
        match waiter.wait()? {
            Woken::Ready(ready) if ready.has_input(0) => {}
            _ => return Ok(()),
        }
        let Some((task, stopped)) = receive(listener.as_fd())? else { continue };
        if let Some(call) = asked(&task, stopped)
            && watch(&task, call) == Flow::End
        {
            end();
        }
        task.notification.go_on()?;
    }
}

/// What a stopped call asks of the file tree; `None` if nothing, or if its task no longer waits: the
/// call won't be made, and what was read may have been another task's.
fn asked(task: &Task<'_>, stopped: Stopped) -> Option<Call> {
    // A program that we may not look into hides what it reads.
    let call = stopped.call(task).unwrap_or_else(|e| {
        tracing::debug!(?stopped, "can't look into the task: {e}");
        Some(Call::Unknown("a program that may not be looked into"))
    });
    call.filter(|_| task.notification.is_valid())
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use rustix::process::{Pid, Signal, getpid, kill_process};

    use super::{Call, Stopped, Task, asked, receive};
    use crate::trace::line::{self, Message};
    use crate::trace::{filter, filter::NATIVE};

    /// A command that puts the filter on itself and sends its listener over the line.
    #[allow(unsafe_code)]
    fn filtered(program: &str, line: BorrowedFd<'static>) -> Command {
        let (mut command, filter) = (Command::new(program), filter::program());
        let install = move || {
            let listener = filter::install(&filter)?;
            // SAFETY: the kernel just gave us the descriptor, and nothing else knows of it.
            let listener = unsafe { OwnedFd::from_raw_fd(listener) };
            line::listening(line, 0, listener.as_fd())
        };
        // SAFETY: all of it are calls of the kernel: it allocates nothing and takes no locks.
        unsafe { command.pre_exec(install) };
        command
    }

    /// The number of a task that was killed while we looked may be another's by now: here it is our
    /// own, whose memory can be read at the address that the call names.
    #[test]
    fn what_is_read_of_a_task_that_is_gone_does_not_count() {
        let (ours, theirs) = line::pair().unwrap();
        // Open as long as the test runs.
        let theirs: &'static OwnedFd = Box::leak(Box::new(theirs));
        let mut command = filtered("/bin/true", theirs.as_fd());
        // Its execve is stopped, for which this waits.
        let starting = std::thread::spawn(move || command.spawn().and_then(|mut c| c.wait()));
        let Ok(Some(Message::Listening { listener, .. })) = line::receive(&ours) else { panic!() };
        let (task, stopped) = receive(listener.as_fd()).unwrap().unwrap();
        let Some(Call::Execute { path, .. }) = asked(&task, stopped) else { panic!() };
        assert_eq!(path, Path::new("/bin/true"));
        assert_eq!(task.program(), std::env::current_exe().ok(), "not yet the new program");
        assert!(task.maps().is_some());

        let id = Pid::from_raw(task.id.cast_signed()).unwrap();
        kill_process(id, Signal::KILL).unwrap();
        let _ = starting.join().unwrap();
        let reused = Task { id: getpid().as_raw_pid().cast_unsigned(), ..task };
        let open = Stopped {
            architecture: NATIVE,
            number: libc::SYS_open as i32,
            arguments: [c"/etc/passwd".as_ptr() as u64, 0, 0, 0, 0, 0],
        };
        assert!(matches!(open.call(&reused), Ok(Some(Call::Open(..)))), "it can be read");
        assert_eq!(asked(&reused, open), None, "and does not count");
        assert_eq!(reused.program(), None);
        assert_eq!(reused.maps(), None);
    }
}
