//! `xcbuild iso`: images of ISO 9660, made and looked at.

mod archive;
mod create;
mod diff;
mod extract;
mod ls;
mod output;
mod show;
mod sources;
mod spelling;
mod verify;

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use fs_err as fs;
use xc_iso::read::{Names, Reader};

use crate::cli::failure::CANCELLED;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_sys::cancel;

/// Make ISO 9660 images, list, extract, check and compare them
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Subcommand,
}

impl Verb for Arguments {
    const NAME: &'static str = "iso";

    fn spelled(arguments: Vec<OsString>) -> Vec<OsString> {
        spelling::normal(arguments)
    }

    /// Runs the verb.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        if let Subcommand::Create(a) = &self.verb {
            return create::run(a, &invocation.host()?);
        }
        let _end = interruptible(|| {});
        match &self.verb {
            Subcommand::Create(a) => create::run(a, &invocation.host()?),
            Subcommand::Ls(a) => ls::run(a),
            Subcommand::Extract(a) => extract::run(a),
            Subcommand::Verify(a) => verify::run(a),
            Subcommand::Diff(a) => diff::run(a),
        }
    }
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Create(Box<create::Arguments>),
    Ls(ls::Arguments),
    Extract(extract::Arguments),
    Verify(verify::Arguments),
    Diff(diff::Arguments),
}

/// Ends the program at once when the user cancels, after `clean`: nobody waits for these verbs to
/// unwind, and their work has no place to ask in.
fn interruptible(clean: impl FnOnce() + Send + 'static) -> cancel::Guard {
    cancel::on_cancel(move || {
        clean();
        ui::warn("cancelled");
        std::process::exit(CANCELLED.into());
    })
}

/// Opens an image with the best names that it has.
fn open(path: &Path) -> Result<Reader<File>> {
    open_as(path, None)
}

/// Opens an image with names of one kind.
fn open_as(path: &Path, names: Option<Names>) -> Result<Reader<File>> {
    let file = fs::File::open(path)?.into_parts().0;
    Reader::open_as(file, names).with_context(|| format!("`{}`", path.display()))
}

/// Says what is wrong with an image, and whether anything is: what is wrong is left out.
fn warn_of_problems(path: &Path, reader: &Reader<File>) -> bool {
    for problem in reader.problems() {
        ui::warn(format_args!("`{}`: left out {problem}", path.display()));
    }
    !reader.problems().is_empty()
}
