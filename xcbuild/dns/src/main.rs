//! The nodes' DNS server: the library with a command line.
//!
//! Small, static and frugal on purpose: it is in every node's base image, and starts before the
//! node has entropy, a resolv.conf or all its addresses. `--background` returns when the server
//! is bound, so that an rc script can go on without waiting for anything.
//!
//! Started as `coredns`, or with `-conf`, it is a stand-in for CoreDNS and takes its command line.

mod args;
mod background;
mod coredns;
mod coredns_args;
mod log;

use std::fs;
use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use xc_dns::Server;

use crate::args::{Action, Options};

/// Exit code for a command line that makes no sense.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    if coredns_args::is_meant(&args) {
        return coredns::run(&args);
    }
    let options = match args::parse(std::env::args_os()) {
        Ok(Action::Serve(options)) => *options,
        Ok(Action::Say(text)) => {
            log::say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            log::complain(&format!("{error} (see --help)"));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    if options.background {
        return Ok(background::start(std::env::args_os())?);
    }
    let mut config = options.config;
    config.sink = log::sink(options.log.as_deref(), options.queries)?;
    let server = Server::bind(config)?;
    if let Some(path) = &options.pid_file {
        fs::write(path, format!("{}\n", std::process::id()))
            .map_err(|error| format!("can't write {}: {error}", path.display()))?;
    }
    background::announce(&server)?;
    server.run_until(ended())?;
    if let Some(path) = &options.pid_file {
        // Gone already is as good.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

/// Ends on SIGTERM or SIGINT.
async fn ended() {
    if wait_for_signal().await.is_err() {
        // Without handlers the signals end the process the kernel's way.
        std::future::pending::<()>().await;
    }
}

async fn wait_for_signal() -> io::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}
