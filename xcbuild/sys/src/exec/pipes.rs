//! A program's pipes: what goes in, and what comes out while it runs.

use std::io::{self, Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::Output;

/// How long a pipe is read after the program's end, if another process still holds it.
const LINGER: Duration = Duration::from_secs(1);

/// Feeds stdin and empties both outputs at once, so that no pipe can fill up and block the program.
///
/// The program's own end is the end: what it leaves running in its group is ended with it, and what
/// has left the group and still holds a pipe is not waited for.
pub(super) fn communicate(
    child: &mut Child,
    group: Pid,
    input: Option<Vec<u8>>,
) -> io::Result<(ExitStatus, Output)> {
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), input) {
        // A program that reads only a part of its input closes the pipe: not our error.
        std::thread::spawn(move || pipe.write_all(&bytes));
    }
    let (stdout, stderr) = (Drain::new(child.stdout.take()), Drain::new(child.stderr.take()));
    let status = child.wait()?;
    let _ = kill_process_group(group, Signal::KILL);
    Ok((status, Output { stdout: stdout.finish()?, stderr: stderr.finish()? }))
}

/// What comes out of a pipe, read by its own thread.
pub(super) struct Drain {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<io::Result<()>>,
}

impl Drain {
    pub(super) fn new(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (done, end) = mpsc::channel();
        let into = Arc::clone(&bytes);
        std::thread::spawn(move || {
            // The receiver of a pipe that was given up is gone.
            let _ = done.send(pipe.map_or(Ok(()), |pipe| read_into(pipe, &into)));
        });
        Self { bytes, end }
    }

    /// All that came until the pipe's end, or for as long as it is worth waiting for.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        self.end.recv_timeout(LINGER).unwrap_or(Ok(()))?;
        Ok(std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read_into(mut pipe: impl Read, into: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(got) => {
                let mut bytes = into.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&buffer[..got]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Exec;

    #[test]
    fn large_input_and_output_do_not_block() {
        let bytes = vec![7; 1 << 20];
        assert_eq!(Exec::new("cat").stdin_bytes(bytes.clone()).output().unwrap(), bytes);
    }

    #[test]
    fn what_a_program_leaves_running_is_not_waited_for() {
        let began = std::time::Instant::now();
        let script = "sleep 60 & setsid sleep 61 & echo done; exit 0";
        assert_eq!(Exec::new("sh").args(["-c", script]).output().unwrap(), b"done\n");
        // Not a measurement: with waiting it would be a minute.
        assert!(began.elapsed() < std::time::Duration::from_secs(50));
    }
}
