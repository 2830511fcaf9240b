//! Which kind of network a start takes: the user's choice, held against what can be had here.

use std::str::FromStr;

use anyhow::{Result, bail};

use super::driver::{Availability, Request};
use super::{CHOICES, Kind};

/// The user's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The last kind that can be had here and has what scripts rely on.
    #[default]
    Auto,
    /// That kind.
    Requested(Kind),
}

/// A word that is no kind of network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--net={0}: {expected} is expected", expected = expected())]
pub struct UnknownKind(String);

/// [`CHOICES`] as text: `auto, user, netns or rootless`.
fn expected() -> String {
    match CHOICES {
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
        [] => String::new(),
    }
}

impl FromStr for Choice {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        match Kind::ALL.iter().find(|kind| kind.to_string() == text) {
            Some(kind) => Ok(Self::Requested(*kind)),
            None if text == "auto" => Ok(Self::Auto),
            None => Err(UnknownKind(text.into())),
        }
    }
}

/// What a start takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The kind.
    pub kind: Kind,
    /// Why it is not the kind that was requested.
    pub fallback: Option<String>,
}

/// Chooses the kind for a start.
///
/// # Errors
/// When the kind that is requested can't be used here, with the reason and a remedy.
pub(crate) fn choose(choice: Choice, request: &Request) -> Result<Chosen> {
    choose_by(choice, &|kind| kind.preflight(request))
}

fn choose_by(choice: Choice, preflight: &dyn Fn(Kind) -> Result<Availability>) -> Result<Chosen> {
    let Choice::Requested(kind) = choice else { return automatic(preflight) };
    match preflight(kind)? {
        Availability::Usable => Ok(Chosen { kind, fallback: None }),
        Availability::Elsewhere(reason) => bail!("--net={kind} {reason}"),
        Availability::Missing(reason) => {
            Ok(Chosen { kind: Kind::FALLBACK, fallback: Some(reason) })
        }
    }
}

/// The last of the kinds that can be had. Kinds that can't be had were not asked for, so their reasons
/// are no matter.
fn automatic(preflight: &dyn Fn(Kind) -> Result<Availability>) -> Result<Chosen> {
    for kind in Kind::ALL.iter().rev().copied().filter(|kind| kind.is_automatic()) {
        if preflight(kind)? == Availability::Usable {
            return Ok(Chosen { kind, fallback: None });
        }
    }
    Ok(Chosen { kind: Kind::FALLBACK, fallback: None })
}

#[cfg(test)]
mod tests {
    use anyhow::{Result, bail};

    use super::super::driver::Availability::{self, Elsewhere, Missing, Usable};
    use super::{Choice, Kind, choose_by};

    #[test]
    fn words_are_kinds() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        for name in ["user", "netns", "rootless"] {
            let Ok(Choice::Requested(kind)) = name.parse() else { panic!("{name}") };
            assert_eq!(kind.to_string(), name);
        }
        let error = "bridge".parse::<Choice>().unwrap_err().to_string();
        assert!(error.starts_with("--net=bridge: auto, user, netns"), "{error}");
        let last = Kind::ALL.last().unwrap();
        assert!(error.ends_with(&format!(" or {last} is expected")), "{error}");
    }

    /// What is chosen where `netns` and `rootless` are so available: its name, and the reason.
    fn chosen(choice: &str, netns: &Availability, rootless: &Availability) -> Result<String> {
        let preflight = |kind: Kind| match kind.to_string().as_str() {
            "netns" => Ok(netns.clone()),
            "rootless" if *rootless == Elsewhere("broken".into()) => bail!("broken"),
            "rootless" => Ok(rootless.clone()),
            "user" => Ok(Usable),
            other => Ok(Elsewhere(format!("{other} is not tried here"))),
        };
        let chosen = choose_by(choice.parse()?, &preflight)?;
        Ok(format!("{} {}", chosen.kind, chosen.fallback.unwrap_or_default()).trim().to_owned())
    }

    #[test]
    fn auto_takes_the_last_that_fits_but_never_rootless() {
        let outside = Elsewhere("works within a namespace".into());
        let no_tun = Missing("no tun".into());
        let rows = [
            ("auto", &Usable, &Usable, "netns"),
            ("auto", &outside, &Usable, "user"),
            ("auto", &outside, &no_tun, "user"),
            ("user", &Usable, &Usable, "user"),
            ("netns", &Usable, &no_tun, "netns"),
            ("rootless", &outside, &Usable, "rootless"),
            ("rootless", &Usable, &no_tun, "user no tun"),
        ];
        for (choice, netns, rootless, expected) in rows {
            assert_eq!(chosen(choice, netns, rootless).unwrap(), expected, "{choice}");
        }
        let error = chosen("netns", &outside, &Usable).unwrap_err().to_string();
        assert_eq!(error, "--net=netns works within a namespace");
        let broken = Elsewhere("broken".into());
        assert!(chosen("rootless", &Usable, &broken).is_err());
        assert!(chosen("auto", &Usable, &broken).is_ok(), "rootless is not even looked at");
    }
}
