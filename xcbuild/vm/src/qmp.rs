//! QMP: qemu's control socket, a JSON object a line.
//!
//! qemu greets, takes `qmp_capabilities`, then answers each command with `return` or `error`.
//! Events come in between at any time and are kept until asked for. qemu serves one client at a
//! time; a second one waits for its greeting, so every wait has an end.
//!
//! Reference: QEMU's `docs/interop/qmp-spec`.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// Why qemu could not be told something.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// Nobody listens, or the line broke: qemu has ended.
    #[error("no connection to qemu's control socket: {0}")]
    Io(#[from] io::Error),
    /// qemu hangs, or another client keeps the line busy.
    #[error("qemu does not answer on its control socket within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// qemu speaks, but not QMP.
    #[error("unexpected answer on qemu's control socket: {0}")]
    Protocol(String),
    /// qemu refused the command.
    #[error("qemu refuses `{command}`: {reason}")]
    Refused {
        /// The command.
        command: String,
        /// qemu's own words.
        reason: String,
    },
}

/// Something that happened in qemu.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name, `SHUTDOWN`.
    pub name: String,
    /// What comes with it.
    pub data: Value,
}

/// A connection to a qemu.
#[derive(Debug)]
pub struct Qmp {
    stream: BufReader<UnixStream>,
    /// The part of a line that came before a time-out.
    line: String,
    events: VecDeque<Event>,
    timeout: Duration,
}

impl Qmp {
    /// Connects; `timeout` is how long any answer may take.
    ///
    /// # Errors
    /// [`QmpError`] when nobody listens, answers in time, or speaks QMP.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, QmpError> {
        Self::over(UnixStream::connect(path)?, timeout)
    }

    /// Speaks over a connection that was made by other means.
    ///
    /// # Errors
    /// [`QmpError`] when nobody answers in time, or speaks QMP.
    pub fn over(stream: UnixStream, timeout: Duration) -> Result<Self, QmpError> {
        stream.set_write_timeout(Some(timeout))?;
        let stream = BufReader::new(stream);
        let mut qmp = Self { stream, line: String::new(), events: VecDeque::new(), timeout };
        let greeting = qmp.message(Instant::now() + timeout)?;
        if !greeting.contains_key("QMP") {
            return Err(QmpError::Protocol(Value::from(greeting).to_string()));
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and gives what it returns.
    ///
    /// # Errors
    /// [`QmpError`] when qemu refuses, has ended or does not answer in time.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        self.stream.get_mut().write_all(line.as_bytes())?;
        let deadline = Instant::now() + self.timeout;
        loop {
            let mut message = self.message(deadline)?;
            if let Some(value) = message.remove("return") {
                return Ok(value);
            }
            if let Some(error) = message.get("error") {
                let reason = error["desc"].as_str().unwrap_or("no reason given").into();
                return Err(QmpError::Refused { command: command.into(), reason });
            }
            self.keep_event(message)?;
        }
    }

    /// The next event, waited for until the deadline.
    ///
    /// # Errors
    /// [`QmpError::TimedOut`] if none came, else as for [`Qmp::execute`].
    pub fn event(&mut self, deadline: Instant) -> Result<Event, QmpError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let message = self.message(deadline)?;
            self.keep_event(message)?;
        }
    }

    fn keep_event(&mut self, mut message: Map<String, Value>) -> Result<(), QmpError> {
        match message.remove("event") {
            Some(Value::String(name)) => {
                let data = message.remove("data").unwrap_or_default();
                self.events.push_back(Event { name, data });
                Ok(())
            }
            _ => Err(QmpError::Protocol(Value::from(message).to_string())),
        }
    }

    fn message(&mut self, deadline: Instant) -> Result<Map<String, Value>, QmpError> {
        while !self.line.ends_with('\n') {
            let left = deadline.saturating_duration_since(Instant::now());
            // A time-out of zero would mean none at all.
            self.stream.get_ref().set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read_line(&mut self.line) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Err(QmpError::TimedOut(self.timeout));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        let line = std::mem::take(&mut self.line);
        serde_json::from_str(&line).map_err(|_| QmpError::Protocol(line.trim_end().into()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::process::Child;
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::{Qmp, QmpError};
    use xc_sys::exec::Exec;

    const LONG: Duration = Duration::from_secs(60);

    /// A qemu without a machine, its control socket there: qemu tells when by its pid file.
    fn qemu(directory: &Path) -> (Child, std::path::PathBuf) {
        let socket = directory.join("qmp");
        let (read, write) = std::io::pipe().unwrap();
        let write = File::from(std::os::fd::OwnedFd::from(write));
        let null = File::options().write(true).open("/dev/null").unwrap();
        // With `-monitor stdio` qemu prints its banner once all sockets are listening.
        let child = Exec::new("qemu-system-x86_64")
            .args(["-M", "none", "-S", "-nodefaults", "-display", "none", "-monitor", "stdio"])
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .detached(write, null)
            .unwrap();
        let mut banner = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(read), &mut banner).unwrap();
        assert!(banner.contains("QEMU"), "{banner}");
        (child, socket)
    }

    #[test]
    fn commands_events_and_refusals() {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, socket) = qemu(dir.path());
        let mut qmp = Qmp::connect(&socket, LONG).unwrap();
        let status = qmp.execute("query-status", json!({})).unwrap();
        assert_eq!(status["running"], json!(false));
        assert_eq!(qmp.execute("cont", json!({})).unwrap(), json!({}));
        assert_eq!(qmp.event(Instant::now() + LONG).unwrap().name, "RESUME");
        let none = qmp.event(Instant::now());
        assert!(matches!(none, Err(QmpError::TimedOut(_))), "{none:?}");
        let refused = qmp.execute("nonesuch", json!({})).unwrap_err();
        assert!(refused.to_string().starts_with("qemu refuses `nonesuch`: "), "{refused}");
        qmp.execute("quit", json!({})).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(matches!(qmp.execute("cont", json!({})), Err(QmpError::Io(_))));
        assert!(matches!(Qmp::connect(&socket, LONG), Err(QmpError::Io(_))));
    }

    #[test]
    fn busy_and_foreign_sockets_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, socket) = qemu(dir.path());
        let mut first = Qmp::connect(&socket, LONG).unwrap();
        let second = Qmp::connect(&socket, Duration::from_millis(1));
        assert!(matches!(second, Err(QmpError::TimedOut(_))), "{second:?}");
        first.execute("quit", json!({})).unwrap();
        child.wait().unwrap();

        let path = dir.path().join("foreign");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut peer, _) = listener.accept().unwrap();
                std::io::Write::write_all(&mut peer, b"220 mail ready\n").unwrap();
            });
            let foreign = Qmp::connect(&path, LONG);
            assert!(matches!(foreign, Err(QmpError::Protocol(_))), "{foreign:?}");
        });
    }
}
