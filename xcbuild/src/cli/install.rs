//! `install_prog`, `cplib`, `libs`, `cploader`: what overlays' scripts call for programs of the
//! host.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::settings::{Settings, Variables};
use crate::ui;
use xc_image::elf::install::Destination;
use xc_image::elf::{Closure, Directories, closure};
use xc_sys::exec::find_program;

/// Copy host programs to DIR/bin, and the shared libraries they need
#[derive(Debug, clap::Args)]
pub struct Programs {
    #[command(flatten)]
    to: To,
    /// Programs on PATH, or their paths
    #[arg(value_name = "PROG", required = true)]
    programs: Vec<String>,
}

/// Copy the shared libraries that files need
#[derive(Debug, clap::Args)]
pub struct Libraries {
    #[command(flatten)]
    to: To,
    /// Programs or libraries
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Print the shared libraries that files need
#[derive(Debug, clap::Args)]
pub struct List {
    /// Programs or libraries
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Copy the dynamic loader
#[derive(Debug, clap::Args)]
pub struct Loader {
    /// The root of the tree to copy it into
    #[arg(long, value_name = "DIR")]
    dest: PathBuf,
}

#[derive(Debug, clap::Args)]
struct To {
    /// The root of the tree to copy into
    #[arg(long, value_name = "DIR")]
    dest: PathBuf,
    /// A list of paths that the base image has [default: $__base_libs]
    #[arg(long, value_name = "FILE")]
    base_libs: Option<PathBuf>,
}

impl To {
    fn run(
        &self,
        variables: Variables,
        copy: impl FnOnce(&Destination<'_>) -> Result<Closure>,
    ) -> Result<ExitCode> {
        let settings = Settings::resolve(variables)?;
        let listed = settings.contract().into_iter().find(|(name, _)| *name == "__base_libs");
        let base = self.base_libs.clone().or(listed.map(|(_, path)| path.into()));
        let to = Destination { directory: &self.dest, base_libraries: base.as_deref() };
        warn_of_missing(&copy(&to)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs `install_prog`.
///
/// # Errors
/// When something can't be copied; a program that isn't there is only a warning.
pub fn programs(arguments: &Programs, variables: Variables) -> Result<ExitCode> {
    let path = OsString::from(variables.or("PATH", ""));
    let mut found = Vec::new();
    for name in &arguments.programs {
        let given = Some(PathBuf::from(name)).filter(|p| name.contains('/') && p.is_file());
        match given.or_else(|| find_program(name, &path)) {
            Some(program) => found.push(program),
            None => ui::warn(format_args!("the program `{name}` is not on PATH")),
        }
    }
    arguments.to.run(variables, |to| to.programs(&found))
}

/// Runs `cplib`.
///
/// # Errors
/// When something can't be copied.
pub fn libraries(arguments: &Libraries, variables: Variables) -> Result<ExitCode> {
    arguments.to.run(variables, |to| to.libraries(&arguments.files))
}

/// Runs `libs`.
///
/// # Errors
/// When a file can't be read.
pub fn list(arguments: &List) -> Result<ExitCode> {
    let needed = closure(&arguments.files, &Directories::of_host())?;
    for library in &needed.libraries {
        ui::result(library.display());
    }
    warn_of_missing(&needed);
    Ok(ExitCode::SUCCESS)
}

/// Runs `cploader`.
///
/// # Errors
/// When the loader can't be copied.
pub fn loader(arguments: &Loader, variables: Variables) -> Result<ExitCode> {
    let loader = variables.or("__loader", "/lib64/ld-linux-x86-64.so.2");
    let to = Destination { directory: &arguments.dest, base_libraries: None };
    to.place(Path::new(&loader))?;
    Ok(ExitCode::SUCCESS)
}

fn warn_of_missing(needed: &Closure) {
    for (library, by) in &needed.missing {
        ui::warn(format_args!("`{}` needs `{library}`, which is not here", by.display()));
    }
}
