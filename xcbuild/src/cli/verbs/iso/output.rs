//! Where an image goes: stdout, a device or pipe, or a file that has its name once it is whole.

use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use xc_iso::{Error, Image, Summary};

use super::interruptible;
use crate::ui;
use xc_sys::files::{self, Writing};

/// Refuses an image that would be part of what goes into it: the next run would put it into itself.
pub(super) fn check(output: &Path, inputs: &[PathBuf]) -> Result<()> {
    let Some(name) = output.file_name().filter(|_| !is_stdout(output) && !is_special(output))
    else {
        return Ok(());
    };
    let Ok(folder) = fs::canonicalize(files::parent(output)) else { return Ok(()) };
    let place = fs::canonicalize(output).unwrap_or_else(|_| folder.join(name));
    for input in inputs {
        let Ok(found) = fs::canonicalize(input) else { continue };
        if place == found && found.is_file() {
            bail!("`{}` is to be read and to be written: give -o another file", output.display());
        }
        if found.is_dir() && place.starts_with(&found) {
            let (output, input) = (output.display(), input.display());
            bail!("`{output}` lies in `{input}`, which goes into it: give -o a file elsewhere");
        }
    }
    Ok(())
}

/// Writes an image. An old file stays as it is until the new one is whole, and also if that fails.
pub(super) fn write(image: &Image, output: &Path) -> Result<Summary> {
    if is_stdout(output) {
        if std::io::stdout().is_terminal() {
            bail!("stdout is a terminal; give -o a file, or send stdout to one or to a program");
        }
        return Ok(image.write(&mut ui::stdout())?);
    }
    let named = || Writing(output.to_path_buf());
    let failed = |error: Error| match error {
        Error::Write(error) => anyhow::Error::from(error).context(named()),
        other => other.into(),
    };
    if is_special(output) {
        let file = fs::OpenOptions::new().write(true).open(output)?;
        return image.write_to_file(file.file()).map_err(failed);
    }
    // What a link names is replaced, and not the link: /dev/stdout is one.
    let place = fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
    let temporary = tempfile::Builder::new()
        .prefix(".tmp-")
        .permissions(PermissionsExt::from_mode(0o666))
        .tempfile_in(files::parent(&place))
        .with_context(named)?;
    let unfinished = temporary.path().to_owned();
    let _end = interruptible(move || drop(std::fs::remove_file(unfinished)));
    let summary = image.write_to_file(temporary.as_file()).map_err(failed)?;
    temporary.persist(&place).map_err(|e| e.error).with_context(named)?;
    Ok(summary)
}

fn is_stdout(output: &Path) -> bool {
    output == Path::new("-")
}

/// A device, a pipe, or something that can't be written, which opening will say.
fn is_special(output: &Path) -> bool {
    fs::metadata(output).is_ok_and(|found| !found.is_file())
}
