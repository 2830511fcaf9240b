//! `xcbuild netns-capture`: for xcbuild itself, in the namespace of a cluster: writes an interface's
//! frames to stdout until its reader has gone.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Command;

use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_capture::pcap;
use xc_capture::source::LAST_WORDS;
use xc_sys::packet::PacketSocket;
use xc_sys::wait::{CancelMode, Waiter, Woken};

/// Send the frames of an interface in this network namespace to xcbuild itself
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    interface: String,
    snaplen: u32,
}

impl Verb for Arguments {
    const NAME: &'static str = "netns-capture";

    fn configure(command: Command) -> Command {
        command.hide(true)
    }

    /// What keeps frames from being sent is written to stderr for the xcbuild that has started this
    /// one, as a text and not as an error for the user.
    fn run(&self, _: Invocation) -> Result<ExitCode> {
        Ok(match self.send_frames() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                ui::log(ui::causes(&error));
                ExitCode::FAILURE
            }
        })
    }
}

impl Arguments {
    /// # Errors
    /// When there is no such interface, or it may not be looked at.
    fn send_frames(&self) -> Result<()> {
        let name = &self.interface;
        let mut socket = PacketSocket::open(name, self.snaplen).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => anyhow::anyhow!("there is no link {name}"),
            io::ErrorKind::PermissionDenied => anyhow::anyhow!(
                "looking at {name} needs CAP_NET_RAW: run it as root, or in a shell of \
             `sudo -E xcbuild nsenter`"
            ),
            _ => anyhow::Error::from(e).context(format!("can't open {name}")),
        })?;
        let Some(mut out) = ui::Stream::new() else { bail!("this is for xcbuild itself") };
        let done = out.write_all(&pcap::head(self.snaplen)).and_then(|()| {
            let mut last = None;
            while wait(&socket, &mut last)? {
                let seen = socket.receive()?;
                let here = u32::try_from(seen.bytes.len()).unwrap_or(u32::MAX);
                let head = pcap::frame_head(seen.when, here, seen.length);
                out.write_all(&[&head, seen.bytes].concat())?;
            }
            Ok(())
        });
        match done {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                Err(e).with_context(|| format!("no more frames of {name}"))
            }
            _ => Ok(()),
        }
    }
}

/// Waits for a frame; false when the reader has gone, or an end is wanted and what was seen by then is
/// written or the time for it over, which is kept in `last`.
fn wait(socket: &PacketSocket, last: &mut Option<Instant>) -> io::Result<bool> {
    let out = io::stdout();
    let wait = |mode| Waiter::new(mode).readable(socket).hung_up(&out);
    if let Woken::Ready(ready) = wait(CancelMode::Honour).wait()? {
        return Ok(!ready.has(1));
    }
    let last = *last.get_or_insert_with(|| Instant::now() + LAST_WORDS);
    let now = Instant::now();
    // What is there by now is all that is wanted.
    match wait(CancelMode::Ignore).until(now).wait()? {
        Woken::Ready(ready) => Ok(!ready.has(1) && now < last),
        Woken::TimedOut | Woken::Cancelled => Ok(false),
    }
}
