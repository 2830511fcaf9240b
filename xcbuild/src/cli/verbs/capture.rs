//! `xcbuild capture`: the frames of networks, into a file or a pipe.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_capture::{Limits, SNAPLEN, Source, Summary, record};
use xc_cluster::capture::{CapturePoint, open};

/// Write the frames of networks, or of nodes' links, to a pcapng file until Ctrl-C
///
/// In every kind of network, and without root but for those of `nsadd`, which need it from outside.
/// Each place is an interface of its own in the file; several captures may run at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  xcbuild capture 1 -w net1.pcapng                  all of network 1
  xcbuild capture 201:1 201:2 -w router.pcapng      both sides of a router
  xcbuild capture 1 -w - | wireshark -k -i -        live")]
pub(crate) struct Arguments {
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
    places: Vec<CapturePoint>,
}

impl Verb for Arguments {
    const NAME: &'static str = "capture";

    /// Runs the verb; that the user ends it is success.
    ///
    /// # Errors
    /// When a place isn't there or may not be looked at, or the file can't be written.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let run = cluster::run_directory(&settings)?;
        let opened = open(&run, &self.places, self.snaplen)?;
        let summary = if self.file.as_os_str() == "-" {
            let Some(stdout) = ui::Stream::new() else {
                bail!("a capture is not for a terminal: `-w FILE`, or `-w - | wireshark -k -i -`");
            };
            self.record(opened.sources, stdout)?
        } else {
            let file = fs_err::File::create(&self.file)?;
            self.record(opened.sources, file)?
        };
        tell(&summary);
        Ok(ExitCode::SUCCESS)
    }
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
