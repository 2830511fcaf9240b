//! `xcbuild install_prog`: programs of the host for overlays' scripts.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::build::host_files::copy;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_sys::exec::find_program;

/// Copy host programs to DIR/bin, and the shared libraries they need
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs on PATH, or their paths
    #[arg(value_name = "PROG", required = true)]
    programs: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "install_prog";

    /// # Errors
    /// When something can't be copied; a program that isn't there is only a warning.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let path = OsString::from(invocation.host()?.path);
        let mut found = Vec::new();
        for name in &self.programs {
            let given = Some(PathBuf::from(name)).filter(|p| name.contains('/') && p.is_file());
            match given.or_else(|| find_program(name, &path)) {
                Some(program) => found.push(program),
                None => ui::warn(format_args!("the program `{name}` is not on PATH")),
            }
        }
        copy(&invocation, |to| to.programs(&found))
    }
}
