//! Numbers in settings.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{SettingsError, Variables};

/// A number that may be unset.
pub(super) fn optional<N>(
    variables: &Variables,
    name: &str,
    range: RangeInclusive<N>,
) -> Result<Option<N>, SettingsError>
where
    N: FromStr + PartialOrd + Display,
{
    let Some(text) = variables.get(name) else { return Ok(None) };
    match text.trim().parse::<N>() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(SettingsError::Bad {
            name: name.into(),
            value: text.into(),
            expected: format!("a number from {} to {} is expected", range.start(), range.end()),
        }),
    }
}

/// A number of bytes, with K, M or G (thousands), that may be unset.
pub(super) fn size(variables: &Variables, name: &str) -> Result<Option<u64>, SettingsError> {
    let Some(text) = variables.get(name) else { return Ok(None) };
    let bad = |expected| SettingsError::Bad { name: name.into(), value: text.into(), expected };
    bytes(text).map(Some).map_err(bad)
}

/// Bytes from a text as `10G`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, ""),
    };
    let unit = match unit {
        "" => 1,
        "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        other => return Err(format!("`{other}` is no unit: K, M or G")),
    };
    let number: u64 = digits.parse().map_err(|_| "a number of bytes is expected".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "that is too much".to_owned())
}

/// A number with a default.
pub(super) fn or<N>(
    variables: &Variables,
    name: &str,
    default: N,
    range: RangeInclusive<N>,
) -> Result<N, SettingsError>
where
    N: FromStr + PartialOrd + Display,
{
    Ok(optional(variables, name, range)?.unwrap_or(default))
}
