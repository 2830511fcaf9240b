//! The kinds of network, and nothing else that names them: a kind is a row of `kinds!` and the module
//! that implements it.
//!
//! The rows stand in the order in which `doctor` shows them. `auto` goes through them from the last to
//! the first, and the first, which needs nothing, is also what is taken where another can't be.

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::driver::{Availability, Driver, Request};
use super::host::{Finding, Host, Program};
use crate::RunDir;
use xc_topology::Node;

/// A kind of network.
#[derive(Clone, Copy)]
pub struct Kind {
    name: &'static str,
    summary: fn() -> &'static str,
    is_automatic: fn() -> bool,
    preflight: fn(&Request) -> Result<Availability>,
    carries: fn(&[Node]) -> Result<()>,
    find: fn(&Host) -> Finding,
    programs: fn() -> &'static [Program],
    recognize: fn(&RunDir, &[u8]) -> Option<PathBuf>,
    new: fn(&RunDir) -> Result<Network>,
}

/// A cluster's network, as its state has it: facts of the kind that it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Network(Facts);

macro_rules! kinds {
    ($($name:literal => $module:ident::$facts:ident,)+) => {
        $(use super::$module::$facts;)+

        /// What is saved of a network, by its kind.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum Facts {
            $(#[serde(rename = $name)] $facts($facts),)+
        }

        $(impl From<$facts> for Network {
            fn from(facts: $facts) -> Self {
                Self(Facts::$facts(facts))
            }
        })+

        /// What may be said for a kind of network: `auto`, or the name of one.
        pub const CHOICES: &[&str] = &["auto", $($name),+];

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::of::<$facts>($name)),+];
        }

        impl Network {
            /// Which kind it is.
            pub fn kind(&self) -> Kind {
                match &self.0 {
                    $(Facts::$facts(_) => Kind::of::<$facts>($name),)+
                }
            }

            pub(super) fn driver(&self) -> &dyn Driver {
                match &self.0 {
                    $(Facts::$facts(facts) => facts,)+
                }
            }

            pub(super) fn driver_mut(&mut self) -> &mut dyn Driver {
                match &mut self.0 {
                    $(Facts::$facts(facts) => facts,)+
                }
            }
        }
    };
}

kinds! {
    "user" => user::User,
    "netns" => netns::Netns,
    "rootless" => rootless::Rootless,
}

impl Kind {
    /// What is taken where another kind can't be: it needs nothing.
    pub const FALLBACK: Self = Self::ALL[0];

    const fn of<D: Driver + Into<Network>>(name: &'static str) -> Self {
        Self {
            name,
            summary: D::summary,
            is_automatic: D::is_automatic,
            preflight: D::preflight,
            carries: D::carries,
            find: D::find,
            programs: D::programs,
            recognize: D::recognize,
            new: |run| D::new(run).map(Into::into),
        }
    }

    /// What it is, in a few words: `networks are …`.
    pub fn summary(self) -> &'static str {
        (self.summary)()
    }

    /// What is found of it on a host.
    pub fn find(self, host: &Host) -> Finding {
        (self.find)(host)
    }

    /// The programs of the host that it runs.
    pub fn programs(self) -> &'static [Program] {
        (self.programs)()
    }

    /// Whether `auto` may choose it.
    pub(super) fn is_automatic(self) -> bool {
        (self.is_automatic)()
    }

    /// Looks whether a cluster can have it here.
    pub(super) fn preflight(self, request: &Request) -> Result<Availability> {
        (self.preflight)(request)
    }

    /// Looks whether it can carry all that those nodes send.
    pub(crate) fn carries(self, nodes: &[Node]) -> Result<()> {
        (self.carries)(nodes)
    }

    /// The network of a new cluster, with nothing planned yet.
    pub(crate) fn create(self, run: &RunDir) -> Result<Network> {
        (self.new)(run)
    }

    /// The file of the run directory that a word of a command line of its processes names.
    pub(super) fn recognize(self, run: &RunDir, word: &[u8]) -> Option<PathBuf> {
        (self.recognize)(run, word)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

/// Its name, as in `--net=NAME`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}

impl Default for Network {
    /// Of a cluster for which nothing is made yet.
    fn default() -> Self {
        User::default().into()
    }
}

/// The kind that a saved state names, if it is not one of ours.
pub(crate) fn unknown_kind(state: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        network: Tag,
    }
    #[derive(Deserialize)]
    struct Tag {
        kind: String,
    }
    let Head { network: Tag { kind } } = serde_json::from_slice(state).ok()?;
    Kind::ALL.iter().all(|known| known.name != kind).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Network, unknown_kind};

    #[test]
    fn a_network_is_saved_with_the_name_of_its_kind() {
        let saved = serde_json::to_string(&Network::default()).unwrap();
        assert_eq!(saved, r#"{"kind":"user"}"#);
        assert_eq!(serde_json::from_str::<Network>(&saved).unwrap(), Network::default());
        assert_eq!(Network::default().kind(), Kind::FALLBACK);
    }

    #[test]
    fn kinds_of_other_xcbuilds_are_recognized() {
        let rows = [
            (r#"{"network":{"kind":"vxlan","vni":7},"format":1}"#, Some("vxlan")),
            (r#"{"network":{"kind":"rootless"}}"#, None),
            (r#"{"format":1}"#, None),
            ("{", None),
        ];
        for (state, kind) in rows {
            assert_eq!(unknown_kind(state.as_bytes()).as_deref(), kind, "{state}");
        }
    }
}
