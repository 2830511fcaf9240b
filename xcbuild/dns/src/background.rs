//! Ready means bound: the server says so on stdout, and `--background` waits for just that.
//!
//! The program starts itself once more without `--background` and with pipes as its output, and
//! returns when the line comes. If the server ends before, what it complained of is the error.
//! Whoever started it can't hang on its output: the pipes end with this process, and what the
//! server says later goes to its `--log` or nowhere.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use xc_dns::Server;

/// The option that this module is about.
const FLAG: &str = "--background";

/// Starts the server with the same arguments and returns when it is bound.
pub(crate) fn start(args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut server = Command::new(std::env::current_exe()?)
        .args(args.skip(1).filter(|arg| arg != FLAG))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C in the terminal that started it isn't meant for it.
        .process_group(0)
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = &mut server.stdout {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.is_empty() {
        let said = server.wait_with_output()?.stderr;
        let said = String::from_utf8_lossy(&said);
        let said = said.trim().trim_start_matches("xc-dns: ").to_string();
        return Err(io::Error::other(if said.is_empty() { "it just ended".into() } else { said }));
    }
    io::stdout().write_all(line.as_bytes())
}

/// Says that the server is bound, where, and whom it forwards to.
pub(crate) fn announce(server: &Server) -> io::Result<()> {
    let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    let mut stdout = io::stdout();
    writeln!(stdout, "ready on {}, forwarding to {}", addresses.join(", "), server.upstreams())?;
    stdout.flush()
}
