//! The program as CoreDNS.

use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use xc_dns::{Event, Sink, StandIn};

use crate::coredns_args::{Action, Options, parse, version};
use crate::{ended, log};

/// Exit code for a command line that makes no sense, as Go's.
const USAGE_ERROR: u8 = 2;

/// Runs with CoreDNS's command line.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let options = match parse(args) {
        Ok(Action::Serve(options)) => options,
        Ok(Action::Say(text)) => {
            log::say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            log::complain_plainly(&format!("{error}\n"));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::complain_plainly(&format!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let server = StandIn::bind(options.source, options.port, sink())?;
    if let Some(path) = &options.pid_file {
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|error| format!("can't write {}: {error}", path.display()))?;
    }
    if !options.quiet {
        log::say(&format!("{}\n{}", server.served().join("\n"), version()));
    }
    server.run_until(ended())?;
    Ok(())
}

/// CoreDNS's log: all of it on stdout, without times, which whoever keeps it adds.
fn sink() -> Sink {
    Arc::new(|event| {
        let line = match event {
            Event::Line(line) => format!("{line}\n"),
            Event::Warning(what) => format!("[WARNING] {what}\n"),
            Event::Error(what) => format!("[ERROR] {what}\n"),
            Event::Reloaded(what) => format!("[INFO] Reloading: {what}\n"),
            Event::Query(_) | Event::Rejected { .. } => return,
        };
        // Nobody left to read it is no error, and must not stop look-ups.
        let _ = io::stdout().write_all(line.as_bytes());
    })
}
