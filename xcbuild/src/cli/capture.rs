//! `xcbuild capture`: the frames of networks, into a file or a pipe.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::cluster::{self, ClusterOption};
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_capture::source::LAST_WORDS;
use xc_capture::{Limits, SNAPLEN, Source, Summary, pcap, record};
use xc_cluster::capture::{Place, open};
use xc_sys::packet::PacketSocket;
use xc_sys::wait::{CancelMode, Waiter, Woken};

/// Write the frames of networks, or of nodes' links, to a pcapng file until Ctrl-C
///
/// In every kind of network, and without root but for those of `nsadd`, which need it from outside.
/// Each place is an interface of its own in the file; several captures may run at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  xcbuild capture 1 -w net1.pcapng                  all of network 1
  xcbuild capture 201:1 201:2 -w router.pcapng      both sides of a router
  xcbuild capture 1 -w - | wireshark -k -i -        live")]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterOption,
    /// The file; - is stdout, for a pipe
    #[arg(short = 'w', long = "write", value_name = "FILE")]
    file: PathBuf,
    /// End after so many frames
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
    /// Take so many bytes of each frame
    #[arg(long, value_name = "BYTES", default_value_t = SNAPLEN,
          value_parser = clap::value_parser!(u32).range(14..=i64::from(SNAPLEN)))]
    snaplen: u32,
    /// Networks, as in 1, and links of nodes to them, as in 201:1
    #[arg(required = true, value_name = "NET|NODE:NET")]
    places: Vec<Place>,
}

/// An interface of the namespace that this process is in.
#[derive(Debug, clap::Args)]
pub struct Helper {
    interface: String,
    snaplen: u32,
}

/// Runs the verb; that the user ends it is success.
///
/// # Errors
/// When a place isn't there or may not be looked at, or the file can't be written.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    set_options(&mut variables, &arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let run = cluster::run_directory(&settings)?;
    let opened = open(&run, &arguments.places, arguments.snaplen)?;
    let summary = if arguments.file.as_os_str() == "-" {
        let Some(stdout) = ui::Stream::new() else {
            bail!("a capture is not for a terminal: `-w FILE`, or `-w - | wireshark -k -i -`");
        };
        arguments.record(opened.sources, stdout)?
    } else {
        let file = fs_err::File::create(&arguments.file)?;
        arguments.record(opened.sources, file)?
    };
    tell(&summary);
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn record(&self, sources: Vec<Source>, out: impl Write) -> Result<Summary> {
        let places: Vec<_> = sources.iter().map(|s| s.interface.description.as_str()).collect();
        ui::status("Capturing", format_args!("{}; Ctrl-C ends it", places.join(", ")));
        let limits = Limits { count: self.count, duration: self.duration.map(Duration::from_secs) };
        let mut out = BufWriter::with_capacity(1 << 16, out);
        record(sources, &mut out, limits)
            .with_context(|| format!("can't write `{}`", self.file.display()))
    }
}

fn tell(summary: &Summary) {
    ui::status("Captured", format_args!("{} frames", summary.frames));
    if summary.dropped > 0 {
        let dropped = summary.dropped;
        ui::warn(format_args!("{dropped} more frames came faster than they could be written"));
    }
    for (place, why) in &summary.ended {
        let why = why.as_deref().unwrap_or("its node or link has gone");
        ui::warn(format_args!("nothing more from {place}: {why}"));
    }
}

/// `netns-capture`: writes an interface's frames to stdout until nobody reads them. What keeps it from
/// that is written to stderr for the xcbuild that has started it, as a text and not as an error for
/// the user.
pub fn help(arguments: &Helper) -> ExitCode {
    match send_frames(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::log(ui::causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn send_frames(arguments: &Helper) -> Result<()> {
    let name = &arguments.interface;
    let mut socket = PacketSocket::open(name, arguments.snaplen).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("there is no link {name}"),
        io::ErrorKind::PermissionDenied => anyhow::anyhow!(
            "looking at {name} needs CAP_NET_RAW: run it as root, or in a shell of \
             `sudo -E xcbuild nsenter`"
        ),
        _ => anyhow::Error::from(e).context(format!("can't open {name}")),
    })?;
    let Some(mut out) = ui::Stream::new() else { bail!("this is for xcbuild itself") };
    let done = out.write_all(&pcap::head(arguments.snaplen)).and_then(|()| {
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
