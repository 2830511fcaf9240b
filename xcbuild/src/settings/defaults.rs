//! What a setting is where it is not set.
//!
//! A default is a text in which `$NAME` stands for another variable: `$XCLUSTER_HOME/hd.img`. That
//! has a value of its own, or a default in turn.

use super::definition::Definition;
use super::{Given, SettingsError, table};

/// The user's number, which no environment has to tell.
const UID: &str = "UID";

/// The text of a setting: as it is set, else the first default that has all it needs.
///
/// # Errors
/// [`SettingsError::Missing`] when no default has.
pub(super) fn text(
    definition: &Definition,
    given: &Given,
) -> Result<Option<String>, SettingsError> {
    if let Some(text) = given.get(definition) {
        return Ok(Some(text.into()));
    }
    let mut missing = None;
    for default in definition.defaults {
        match expanded(default, given)? {
            Ok(text) => return Ok(Some(text)),
            Err(name) => missing = Some(name),
        }
    }
    missing.map_or(Ok(None), |name| Err(SettingsError::Missing(name, definition.variable)))
}

/// A default with the values of its variables; the name of the first that has none.
fn expanded(
    default: &'static str,
    given: &Given,
) -> Result<Result<String, &'static str>, SettingsError> {
    let mut parts = default.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, rest) = part.split_at(end.unwrap_or(part.len()));
        match value(name, given)? {
            Some(value) => text += &value,
            None => return Ok(Err(name)),
        }
        // `/w/` and `/xcluster` are `/w/xcluster`.
        text += if text.ends_with('/') { rest.trim_start_matches('/') } else { rest };
    }
    Ok(Ok(text))
}

fn value(name: &str, given: &Given) -> Result<Option<String>, SettingsError> {
    if name == UID {
        return Ok(Some(rustix::process::getuid().as_raw().to_string()));
    }
    match table::find(name) {
        Some(definition) => text(definition, given),
        None => Ok(None),
    }
}
