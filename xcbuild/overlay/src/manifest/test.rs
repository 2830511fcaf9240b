//! `[test]`: how nodes show that an overlay works. Cases, each a command on nodes and what is
//! expected of it; what runs them is `crate::testing`.

use std::fmt;

use regex::Regex;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use toml::Spanned;

use xc_topology::address::{NodeId, Role};

/// How long a case may take in all, in seconds, unless it says so.
const WITHIN: u32 = 60;
/// The name of the case that `command` is short for.
const SHORT: &str = "works";

/// `[test]`: cases that show whether the overlay works.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// In short: a command that succeeds if the overlay works.
    pub command: Option<String>,
    /// The nodes that run it.
    #[serde(default = "first_node")]
    pub nodes: Vec<NodeSelector>,
    /// The cases in full.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
}

/// `[[test.case]]`: on these nodes run that, expect this, within so long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, in a few words.
    pub name: Spanned<String>,
    /// The nodes; on each it is a test of its own, on all at the same time.
    #[serde(default = "first_node")]
    pub nodes: Vec<NodeSelector>,
    /// The command, for the node's shell.
    pub run: String,
    /// The exit code that it has to have.
    #[serde(default)]
    pub exit: u8,
    /// What its output, stdout and then stderr, has to contain.
    #[serde(default)]
    pub contains: Texts,
    /// What its output must not contain.
    #[serde(default)]
    pub lacks: Texts,
    /// A regular expression that has to match somewhere in its output; `^` and `$` are those of lines.
    pub matches: Option<Pattern>,
    /// How long it may take in all, in seconds.
    #[serde(default = "within")]
    pub within: Seconds,
    /// It is tried again so many seconds after a try that failed, as long as `within` lasts.
    pub every: Option<Seconds>,
    /// A command that has to succeed on the node first; otherwise the case is skipped there.
    pub needs: Option<String>,
}

impl Test {
    /// All cases, the short one first.
    pub fn all(&self) -> Vec<Case> {
        let short = self.command.as_ref().map(|command| Case {
            name: Spanned::new(0..0, SHORT.into()),
            nodes: self.nodes.clone(),
            run: command.clone(),
            exit: 0,
            contains: Texts::default(),
            lacks: Texts::default(),
            matches: None,
            within: within(),
            every: None,
            needs: None,
        });
        short.into_iter().chain(self.cases.iter().cloned()).collect()
    }
}

/// Which nodes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeSelector {
    /// All.
    All,
    /// Those of a role.
    Role(Role),
    /// One.
    Node(NodeId),
}

impl NodeSelector {
    /// Whether a node is meant.
    pub fn is(self, node: NodeId) -> bool {
        match self {
            Self::All => true,
            Self::Role(role) => node.role() == role,
            Self::Node(one) => node == one,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::All);
        }
        let role = text.parse().map(Self::Role);
        role.or_else(|_| text.parse().map(Self::Node)).ok()
    }
}

/// As in the manifest.
impl fmt::Display for NodeSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Role(role) => write!(f, "{role}s"),
            Self::Node(node) => write!(f, "{node}"),
        }
    }
}

impl<'de> Deserialize<'de> for NodeSelector {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrWord;
        impl Visitor<'_> for NumberOrWord {
            type Value = NodeSelector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node's number, or vms, routers, testers, all")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<NodeSelector, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<NodeSelector, E> {
                let wrong = || {
                    format!(
                        "`{text}` is not a node: write a number from 1 to 240, vms, routers, testers or all"
                    )
                };
                NodeSelector::parse(text).ok_or_else(|| E::custom(wrong()))
            }
        }
        from.deserialize_any(NumberOrWord)
    }
}

/// One text or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a text or a list of texts is expected")]
        enum OneOrMore {
            One(String),
            More(Vec<String>),
        }
        let texts = match OneOrMore::deserialize(from)? {
            OneOrMore::One(text) => vec![text],
            OneOrMore::More(texts) => texts,
        };
        if texts.iter().any(String::is_empty) {
            return Err(D::Error::custom("an empty text is in every output"));
        }
        Ok(Self(texts))
    }
}

/// A regular expression.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        // The library draws the place over several lines; the last says what is wrong.
        let wrong = |e: regex::Error| {
            let text = e.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("is not a regular expression: {last}")
        };
        let regex = regex::RegexBuilder::new(&text).multi_line(true).build();
        regex.map(Self).map_err(|e| D::Error::custom(format!("`{text}` {}", wrong(e))))
    }
}

/// A time of a second at least and a day at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u32);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(from)?;
        match u32::try_from(number) {
            Ok(seconds @ 1..=86_400) => Ok(Self(seconds)),
            _ => {
                Err(D::Error::custom(format!("{number} are no seconds: a number from 1 to 86400")))
            }
        }
    }
}

fn within() -> Seconds {
    Seconds(WITHIN)
}

fn first_node() -> Vec<NodeSelector> {
    NodeId::new(1).map(NodeSelector::Node).into_iter().collect()
}
