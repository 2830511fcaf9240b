//! Why a layer was built, for people who wonder.

use std::collections::BTreeMap;
use std::fmt;

use super::recipe::Ingredient;
use xc_store::key::Digest;

/// Why a layer was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It never was before, as far as the store knows.
    New,
    /// Its recipe is another than the last time.
    Changed(Vec<Change>),
    /// The recipe is the last one, but its result is no longer in the store.
    Lost,
    /// The script is run every time, and why.
    Always(String),
}

/// One ingredient that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which ingredient.
    pub what: String,
    /// What happened to it.
    pub how: How,
}

/// What happened to an ingredient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Appeared,
    /// It is gone.
    Gone,
    /// It is another; the values where they say something to a person.
    Changed(Option<(String, String)>),
}

/// The longest value that is shown in full, in bytes.
const SHOWN_MAX: usize = 60;
/// How many changes are listed one by one.
const LISTED_MAX: usize = 8;

/// What differs between two lists of ingredients, in the order of the newer one.
pub fn changes(old: &[Ingredient], new: &[Ingredient]) -> Vec<Change> {
    let map = |list: &[Ingredient]| -> BTreeMap<String, String> {
        list.iter().map(|i| (i.what.clone(), i.value.clone())).collect()
    };
    let (old_map, new_map) = (map(old), map(new));
    let changed = new.iter().filter_map(|i| match old_map.get(&i.what) {
        None => Some(Change { what: i.what.clone(), how: How::Appeared }),
        Some(value) if *value != i.value => {
            Some(Change { what: i.what.clone(), how: How::Changed(shown(value, &i.value)) })
        }
        Some(_) => None,
    });
    let gone = old.iter().filter(|i| !new_map.contains_key(&i.what));
    changed.chain(gone.map(|i| Change { what: i.what.clone(), how: How::Gone })).collect()
}

/// What of two values says something to a person: their words without digests, if these differ.
fn shown(old: &str, new: &str) -> Option<(String, String)> {
    let words = |value: &str| {
        let words: Vec<&str> = value.split(' ').filter(|w| w.parse::<Digest>().is_err()).collect();
        words.join(" ")
    };
    let (old, new) = (words(old), words(new));
    let short = |v: &String| !v.is_empty() && v.len() <= SHOWN_MAX && !v.contains('\n');
    (old != new && short(&old) && short(&new)).then_some((old, new))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::Appeared => write!(f, "{} appeared", self.what),
            How::Gone => write!(f, "{} is gone", self.what),
            How::Changed(None) => write!(f, "{} changed", self.what),
            How::Changed(Some((old, new))) => write!(f, "{} {old} -> {new}", self.what),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => write!(f, "never built before"),
            Self::Lost => write!(f, "its result is no longer in the store"),
            Self::Always(why) => write!(f, "it is run every time: {why}"),
            // Ingredients may change their order alone, which no list of differences shows.
            Self::Changed(changes) if changes.is_empty() => write!(f, "the order changed"),
            Self::Changed(changes) => {
                let texts: Vec<_> =
                    changes.iter().take(LISTED_MAX).map(ToString::to_string).collect();
                write!(f, "{}", texts.join(", "))?;
                match changes.len().saturating_sub(LISTED_MAX) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recipe::Ingredient;
    use super::{Reason, changes};
    use xc_store::key::Digest;

    fn list(pairs: &[(&str, &str)]) -> Vec<Ingredient> {
        pairs.iter().map(|(w, v)| Ingredient::new(*w, *v)).collect()
    }

    #[test]
    fn changes_are_told_in_words() {
        let (a, b) = (Digest::of(b"a").to_string(), Digest::of(b"b").to_string());
        let (one, two) = (format!("1.0.6-2 {a}"), format!("1.0.9-1 {b}"));
        let old = list(&[("default/etc/x", &a), ("package nftables", &one), ("link /y", "z")]);
        let new =
            list(&[("default/etc/x", &b), ("package nftables", &two), ("/usr/bin/nmap", "0755")]);
        insta::assert_snapshot!(Reason::Changed(changes(&old, &new)), @"default/etc/x changed, package nftables 1.0.6-2 -> 1.0.9-1, /usr/bin/nmap appeared, link /y is gone");
        assert_eq!(changes(&new, &new), []);
    }
}
