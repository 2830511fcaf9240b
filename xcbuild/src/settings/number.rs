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
