//! The kinds of network that can carry a topology, and the user's choice among them.

use std::fmt;
use std::str::FromStr;

/// A kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// qemu's own, without any privilege.
    User,
    /// Bridges and taps in a namespace of `nsadd`.
    Netns,
    /// Bridges and taps in a user's own namespace.
    Rootless,
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// `netns` within a namespace of `nsadd`, else `user`, whose ports scripts rely on there.
    #[default]
    Auto,
    /// That kind.
    This(Kind),
}

/// A word that is no kind of network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--net={0}: auto, user, netns or rootless is expected")]
pub struct UnknownKind(String);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::User => "user",
            Self::Netns => "netns",
            Self::Rootless => "rootless",
        })
    }
}

impl FromStr for Wanted {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let kinds = [Kind::User, Kind::Netns, Kind::Rootless];
        match kinds.into_iter().find(|kind| kind.to_string() == text) {
            Some(kind) => Ok(Self::This(kind)),
            None if text == "auto" => Ok(Self::Auto),
            None => Err(UnknownKind(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Wanted};

    #[test]
    fn words_are_kinds() {
        assert_eq!("auto".parse(), Ok(Wanted::Auto));
        assert_eq!("rootless".parse(), Ok(Wanted::This(Kind::Rootless)));
        assert!("bridge".parse::<Wanted>().is_err());
    }
}
