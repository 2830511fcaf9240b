//! From texts to values: each kind of value once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use xc_cluster::ClusterName;
use xc_cluster::boot::order::Order;
use xc_cluster::key::Access;
use xc_cluster::network;
use xc_image::cdrom::Layout;
use xc_sys::shell;
use xc_topology::address::{NetworkId, NodeId, Prefix, parse_networks};
use xc_vm::accel::Choice;

use super::definition::{Definition, Kind};
use super::{Given, SettingsError, defaults};

/// A value that a text gives.
pub(crate) trait Value: Sized {
    /// The value of a text.
    ///
    /// # Errors
    /// What is expected in its place.
    fn parse(kind: Kind, text: &str) -> Result<Self, String>;

    /// The value where nothing is set and there is no default, if there is one.
    fn unset() -> Option<Self> {
        None
    }
}

/// A field of a group of settings.
pub(crate) trait Field: Sized {
    /// Its value.
    ///
    /// # Errors
    /// When the text is not valid, or a value is missing.
    fn read(definition: &Definition, given: &Given) -> Result<Self, SettingsError>;
}

/// A value with a default.
impl<T: Value> Field for T {
    fn read(definition: &Definition, given: &Given) -> Result<Self, SettingsError> {
        match defaults::text(definition, given)? {
            Some(text) => parsed(definition, given, &text),
            None => T::unset().ok_or(SettingsError::Missing(definition.variable, "")),
        }
    }
}

/// A value that may be unset.
impl<T: Value> Field for Option<T> {
    fn read(definition: &Definition, given: &Given) -> Result<Self, SettingsError> {
        given.get(definition).map(|text| parsed(definition, given, text)).transpose()
    }
}

/// What all nodes have, and what single ones have in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PerNode<T> {
    /// What is set for all, as `__mem`.
    pub all: Option<T>,
    /// What is set for single nodes, as `__mem201`.
    pub of: BTreeMap<NodeId, T>,
}

impl<T: Value> Field for PerNode<T> {
    fn read(definition: &Definition, given: &Given) -> Result<Self, SettingsError> {
        let mut of = BTreeMap::new();
        for (name, text) in given.variables().iter() {
            let Some(node) = node_of(definition, name) else { continue };
            let value = T::parse(definition.kind, text);
            of.insert(node, value.map_err(|expected| bad(name, text, expected))?);
        }
        Ok(Self { all: Field::read(definition, given)?, of })
    }
}

/// The node whose value a variable is, if it is one of that setting for a single node.
pub(super) fn node_of(definition: &Definition, variable: &str) -> Option<NodeId> {
    let number = variable.strip_prefix(definition.variable)?;
    number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())?
}

fn parsed<T: Value>(
    definition: &Definition,
    given: &Given,
    text: &str,
) -> Result<T, SettingsError> {
    let bad = |expected| bad(&given.name(definition), text, expected);
    T::parse(definition.kind, text).map_err(bad)
}

fn bad(name: &str, value: &str, expected: String) -> SettingsError {
    SettingsError::Bad { name: name.into(), value: value.into(), expected }
}

fn number(kind: Kind, text: &str) -> Result<u64, String> {
    let Kind::Number(min, max) = kind else { return bytes(kind, text) };
    let number = text.trim().parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| match max {
        u64::MAX => format!("a number from {min} on is expected"),
        _ => format!("a number from {min} to {max} is expected"),
    })
}

/// Bytes, as in `10G`, of options that are not settings.
///
/// # Errors
/// What is expected in their place.
pub(crate) fn decimal_bytes(text: &str) -> Result<u64, String> {
    bytes(Kind::Bytes(1000), text)
}

fn bytes(kind: Kind, text: &str) -> Result<u64, String> {
    let base: u64 = if kind == Kind::Bytes(1024) { 1024 } else { 1000 };
    let (digits, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, ""),
    };
    let power = match unit.strip_suffix('B').filter(|_| base == 1024).unwrap_or(unit) {
        "" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        other => return Err(format!("`{other}` is not a unit: K, M, G or T")),
    };
    let number: u64 = digits.parse().map_err(|_| "a number of bytes is expected".to_owned())?;
    number.checked_mul(base.pow(power)).ok_or_else(|| "that is too much".to_owned())
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn parse(kind: Kind, text: &str) -> Result<Self, String> {
                Self::try_from(number(kind, text)?).map_err(|e| e.to_string())
            }
        }
    )*};
}
numbers! { u8 u16 u32 u64 usize }

impl Value for Duration {
    fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        number(kind, text).map(Self::from_secs)
    }
}

impl Value for bool {
    fn parse(_: Kind, text: &str) -> Result<Self, String> {
        Ok(text != "no")
    }

    fn unset() -> Option<Self> {
        Some(false)
    }
}

impl Value for String {
    fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Choice(words) if !words.contains(&text) => Err(one_of(words)),
            _ => Ok(text.into()),
        }
    }

    fn unset() -> Option<Self> {
        Some(Self::new())
    }
}

impl Value for PathBuf {
    fn parse(_: Kind, text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Value for Vec<String> {
    fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        let separator = match kind {
            Kind::Line => return shell::split(text).map_err(|e| e.to_string()),
            Kind::Words(separator) => separator,
            _ => return Ok(vec![text.into()]),
        };
        let between = |c: char| c == separator || (separator == ' ' && c.is_whitespace());
        Ok(text.split(between).filter(|w| !w.is_empty()).map(ToOwned::to_owned).collect())
    }

    fn unset() -> Option<Self> {
        Some(Self::new())
    }
}

impl Value for Vec<PathBuf> {
    fn parse(_: Kind, text: &str) -> Result<Self, String> {
        Ok(std::env::split_paths(text).filter(|p| !p.as_os_str().is_empty()).collect())
    }

    fn unset() -> Option<Self> {
        Some(Self::new())
    }
}

impl Value for Vec<NetworkId> {
    fn parse(_: Kind, text: &str) -> Result<Self, String> {
        parse_networks(text).map_err(|e| e.to_string())
    }
}

/// Types that read themselves.
macro_rules! parse_themselves {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn parse(_: Kind, text: &str) -> Result<Self, String> {
                text.parse().map_err(|e| format!("{e:#}"))
            }
        }
    )*};
}
parse_themselves! { ClusterName Prefix Order network::Choice }

/// The value that belongs to a word of a choice.
fn chosen<T: Copy>(kind: Kind, text: &str, values: &[T]) -> Result<T, String> {
    let Kind::Choice(words) = kind else { return Err("a word is expected".into()) };
    let at = words.iter().position(|word| *word == text);
    at.and_then(|at| values.get(at).copied()).ok_or_else(|| one_of(words))
}

fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => {
            format!("{} or {last} is expected", first.join(", "))
        }
        _ => format!("{} is expected", words.join("")),
    }
}

impl Value for Access {
    fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        chosen(kind, text, &[Self::Open, Self::Key])
    }
}

impl Value for Choice {
    fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        chosen(kind, text, &[Self::Kvm, Self::Tcg, Self::Auto])
    }
}

impl Value for Layout {
    fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        chosen(kind, text, &[Self::Tree, Self::Tar])
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::Kind;
    use super::{Value, bytes, one_of};

    #[test]
    fn bytes_have_units() {
        let disk = |text: &str| bytes(Kind::Bytes(1024), text);
        assert_eq!((disk("512"), disk("2G"), disk("300MB")), (Ok(512), Ok(2 << 30), Ok(300 << 20)));
        assert!(disk("2X").is_err() && disk("").is_err() && disk("99999999T").is_err());
        assert_eq!(bytes(Kind::Bytes(1000), "10G"), Ok(10_000_000_000));
        assert!(bytes(Kind::Bytes(1000), "10GB").is_err());
    }

    #[test]
    fn choices_and_flags() {
        assert_eq!(one_of(&["iso", "raw", "qcow2"]), "iso, raw or qcow2 is expected");
        assert_eq!(bool::parse(Kind::Flag, "no"), Ok(false));
        assert_eq!(bool::parse(Kind::Flag, "yes"), Ok(true));
        let words = <Vec<String> as Value>::parse(Kind::Words(' '), " a\tb ");
        assert_eq!(words.unwrap(), ["a", "b"]);
    }
}
