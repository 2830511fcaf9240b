//! Domain names, compared without regard to case.

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

/// A domain name: its wire form (length-prefixed labels, ending in the root's zero), in lower case.
///
/// Shown with a final dot. Bytes that are not printable are shown as `\DDD` (RFC 1035 section
/// 5.1), so that a name in a log line can't forge another line.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Name(Box<[u8]>);

/// Why a text is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Two dots in a row, or a dot first.
    #[error("\"{0}\" is no domain name: it has an empty label")]
    EmptyLabel(String),
    /// Over 63 bytes between two dots.
    #[error("\"{0}\" is no domain name: a label is longer than 63 bytes")]
    LongLabel(String),
    /// Over 255 bytes in all.
    #[error("\"{0}\" is no domain name: it is longer than 255 bytes")]
    Long(String),
}

impl Name {
    /// The longest wire form (RFC 1035 section 3.1).
    pub(crate) const MAX: usize = 255;
    /// The longest label.
    const MAX_LABEL: usize = 63;

    /// Takes a checked wire form.
    pub(crate) fn from_wire(mut wire: Vec<u8>) -> Self {
        // A length byte is at most 63, below 'A': lowering the whole touches letters only.
        wire.make_ascii_lowercase();
        Self(wire.into())
    }

    /// The wire form, in lower case.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The root.
    pub(crate) fn root() -> Self {
        Self([0].into())
    }

    /// The wildcard directly below `parent`, if that isn't too long.
    pub(crate) fn wildcard_of(parent: &Self) -> Option<Self> {
        let wire = [&[1, b'*'], &*parent.0].concat();
        (wire.len() <= Self::MAX).then(|| Self(wire.into()))
    }

    /// The name under which `address` has its PTR record.
    pub fn reverse(address: IpAddr) -> Self {
        let mut wire = Vec::with_capacity(74);
        let mut label = |text: String| {
            wire.push(text.len() as u8);
            wire.extend_from_slice(text.as_bytes());
        };
        match address {
            IpAddr::V4(address) => {
                address.octets().iter().rev().for_each(|byte| label(byte.to_string()));
                label("in-addr".to_string());
            }
            IpAddr::V6(address) => {
                for byte in address.octets().iter().rev() {
                    label(format!("{:x}", byte & 0xf));
                    label(format!("{:x}", byte >> 4));
                }
                label("ip6".to_string());
            }
        }
        label("arpa".to_string());
        wire.push(0);
        Self(wire.into())
    }

    /// Whether this name is `zone` or lies below it.
    pub(crate) fn is_within(&self, zone: &Self) -> bool {
        let mut rest: &[u8] = &self.0;
        loop {
            if rest.len() <= zone.0.len() {
                return rest == &*zone.0;
            }
            let step = rest.first().map_or(1, |&length| usize::from(length) + 1);
            rest = rest.get(step..).unwrap_or_default();
        }
    }

    /// This name with `zone` behind it, if that isn't too long.
    pub(crate) fn below(&self, zone: &Self) -> Option<Self> {
        let labels = self.0.strip_suffix(&[0])?;
        let wire = [labels, &zone.0].concat();
        (wire.len() <= Self::MAX).then(|| Self(wire.into()))
    }

    /// This name without its first labels; `None` if it hasn't so many.
    pub(crate) fn without_labels(&self, count: usize) -> Option<Self> {
        let mut rest: &[u8] = &self.0;
        for _ in 0..count {
            let length = usize::from(*rest.first().filter(|length| **length != 0)?);
            rest = rest.get(length + 1..)?;
        }
        Some(Self(rest.into()))
    }

    /// How many labels there are, without the root's.
    pub(crate) fn label_count(&self) -> usize {
        let mut rest: &[u8] = &self.0;
        let mut count = 0;
        while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length != 0) {
            rest = after.get(usize::from(length)..).unwrap_or_default();
            count += 1;
        }
        count
    }

    /// Whether the name has one label only, as a bare host name.
    pub(crate) fn is_bare(&self) -> bool {
        self.0.first().is_some_and(|&length| self.0.len() == usize::from(length) + 2)
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Takes `www.example` with or without its final dot; no escapes.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(text.len() + 2);
        let labels = text.strip_suffix('.').unwrap_or(text);
        for label in labels.split('.').filter(|_| !labels.is_empty() || text.is_empty()) {
            match label.len() {
                0 => return Err(NameError::EmptyLabel(text.to_string())),
                1..=Self::MAX_LABEL => wire.push(label.len() as u8),
                _ => return Err(NameError::LongLabel(text.to_string())),
            }
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        if wire.len() > Self::MAX {
            return Err(NameError::Long(text.to_string()));
        }
        Ok(Self::from_wire(wire))
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest: &[u8] = &self.0;
        if rest == [0] {
            return f.write_char('.');
        }
        while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length != 0) {
            let (label, next) = after.split_at(usize::from(length).min(after.len()));
            for &byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                    b'!'..=b'~' => f.write_char(char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
            f.write_char('.')?;
            rest = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_to_name_and_back() {
        let label = "a".repeat(63);
        for (text, shown) in [
            ("www.Example", "www.example."),
            ("www.example.", "www.example."),
            (".", "."),
            (&label, &format!("{label}.")),
            ("a b\n.x", "a\\032b\\010.x."),
        ] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn text_that_is_no_name() {
        let long_label = "a".repeat(64);
        let long = ["a".repeat(63).as_str(); 4].join(".");
        for (text, error) in [
            ("", NameError::EmptyLabel(String::new())),
            ("a..b", NameError::EmptyLabel("a..b".into())),
            (".a", NameError::EmptyLabel(".a".into())),
            (&long_label, NameError::LongLabel(long_label.clone())),
            (&long, NameError::Long(long.clone())),
        ] {
            assert_eq!(text.parse::<Name>(), Err(error));
        }
    }

    #[test]
    fn reverse_names() {
        for (address, name) in [
            ("192.168.0.1", "1.0.168.192.in-addr.arpa."),
            (
                "1000::1",
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.ip6.arpa.",
            ),
        ] {
            assert_eq!(Name::reverse(address.parse().unwrap()).to_string(), name);
        }
    }

    #[test]
    fn zones_contain_their_names() {
        for (name, zone, within) in [
            ("vm-001.xcluster", "xcluster", true),
            ("XCLUSTER", "xcluster", true),
            ("a.b.xcluster", "xcluster", true),
            ("notxcluster", "xcluster", false),
            ("xcluster.example", "xcluster", false),
            (".", "xcluster", false),
            ("xcluster", ".", true),
        ] {
            let [name, zone] = [name, zone].map(|text| text.parse::<Name>().unwrap());
            assert_eq!(name.is_within(&zone), within, "{name} in {zone}");
        }
    }

    #[test]
    fn bare_names_go_below_a_zone() {
        let bare: Name = "vm-001".parse().unwrap();
        assert!(bare.is_bare());
        let full = bare.below(&"xcluster".parse().unwrap()).unwrap();
        assert_eq!(full.to_string(), "vm-001.xcluster.");
        assert!(!full.is_bare());
        assert!(!".".parse::<Name>().unwrap().is_bare());
    }
}
