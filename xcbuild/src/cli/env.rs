//! `xcbuild env`: every setting, fit for `eval $(xcbuild env)`.

use std::process::ExitCode;

use anyhow::Result;

use crate::settings::{Settings, Variables};
use crate::ui;

/// Print every setting as NAME=value
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the verb.
pub fn run(_: &Arguments, variables: Variables) -> Result<ExitCode> {
    let settings = Settings::resolve(variables)?;
    for (name, value) in settings.contract() {
        ui::result(format_args!("{name}={}", quoted(&value)));
    }
    Ok(ExitCode::SUCCESS)
}

/// A value as a shell takes it; quoted only where it has to be, since scripts also cut these lines.
pub fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}
