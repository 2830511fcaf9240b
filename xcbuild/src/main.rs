//! The `xcbuild` program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    xcbuild::cli::run(std::env::args_os())
}
