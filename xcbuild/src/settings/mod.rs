//! The settings: declared once, in [`table`], and read here; the only reader of the environment.
//!
//! Three steps. [`Given`] is a copy of the environment; what the command line says is written over it,
//! an option `--nets-vm=0,1` as `__nets_vm`; reading a group of settings turns texts into typed values
//! with their defaults. So a setting means the same wherever it comes from, and overlays' scripts get
//! all of them by the names of the contract.
//!
//! [`Settings`] is what most verbs need. Groups of settings that only some verbs know are read when
//! those run ([`Invocation::read`]), since their names are plain words that may mean something else to
//! others.
//!
//! Others read the environment for ends of their own: clap_complete the variable by which a shell asks
//! for completion, tempfile `TMPDIR`, terminal libraries `TERM` and its like. Programs that are run
//! get all of it.
//!
//! | module | subject |
//! |---|---|
//! | [`table`] | every setting |
//! | [`definition`] | how one is declared |
//! | [`given`] | what the user has set |
//! | [`defaults`], [`value`] | what is not set, and what texts mean |
//! | [`nodes`] | what is set for roles and single nodes |
//! | [`options`] | options of the command line |
//! | [`exported`] | what `env` prints and what overlays' scripts get |

mod defaults;
pub(crate) mod definition;
pub(crate) mod exported;
mod given;
mod nodes;
pub(crate) mod options;
#[cfg(test)]
mod page;
pub(crate) mod table;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;

pub(crate) use given::Given;
pub(crate) use table::build::{BuildSettings, WorkSettings};
pub(crate) use table::cluster::ClusterSettings;
pub(crate) use table::host::HostSettings;
pub(crate) use table::places::Places;
pub(crate) use table::start::StartSettings;
pub(crate) use xc_overlay::Variables;

use definition::{Definition, Group};

/// Why a setting can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A variable that has to be set is not; the setting that needs it.
    #[error("${0} is not set; set it, or set ${1}")]
    Missing(&'static str, &'static str),
    /// A value that is not valid.
    #[error("{name}={value}: {expected}")]
    Bad {
        /// The variable, or the option.
        name: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: String,
    },
}

/// The settings of most verbs, typed.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where things are.
    pub places: Places,
    /// What a cluster is.
    pub cluster: ClusterSettings,
    /// What overlays are built with.
    pub build: BuildSettings,
    /// What all of it came from.
    given: Given,
}

impl Settings {
    /// Gives every setting its value.
    ///
    /// # Errors
    /// [`SettingsError`], which names the variable.
    pub(crate) fn resolve(given: impl Into<Given>) -> Result<Self, SettingsError> {
        let mut given = given.into();
        // Elsewhere it is where programs are installed, and no IPv6 prefix looks like that.
        let prefix = given.get(&ClusterSettings::prefix);
        if prefix.is_some_and(|prefix| prefix.starts_with('/')) {
            given.unset(&ClusterSettings::prefix);
        }
        Ok(Self {
            places: Group::read(&given)?,
            cluster: Group::read(&given)?,
            build: Group::read(&given)?,
            given,
        })
    }

    /// How a cluster is started.
    ///
    /// # Errors
    /// [`SettingsError`], which names the variable.
    pub(crate) fn start(&self) -> Result<StartSettings, SettingsError> {
        Group::read(&self.given)
    }

    /// What the user's session says.
    ///
    /// # Errors
    /// None that is known: any value is valid.
    pub(crate) fn host(&self) -> Result<HostSettings, SettingsError> {
        Group::read(&self.given)
    }

    /// Whether the user has set a setting.
    pub(crate) fn is_set(&self, definition: &Definition) -> bool {
        self.given.get(definition).is_some()
    }

    /// The settings with one set, as if the user had, unless the user has.
    ///
    /// # Errors
    /// As for [`Settings::resolve`].
    pub(crate) fn or(self, definition: &Definition, value: &str) -> Result<Self, SettingsError> {
        if self.is_set(definition) { Ok(self) } else { self.with(definition, value) }
    }

    /// The settings with one set, as if the user had.
    ///
    /// # Errors
    /// As for [`Settings::resolve`].
    pub(crate) fn with(self, definition: &Definition, value: &str) -> Result<Self, SettingsError> {
        let mut given = self.given;
        given.set(definition, value);
        Self::resolve(given)
    }
}

/// What a verb is run with: all that the user has set, to be read as far as the verb needs it.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    given: Given,
}

impl Invocation {
    /// From what the user has set.
    pub(crate) fn new(given: Given) -> Self {
        Self { given }
    }

    /// What it is made from.
    #[cfg(test)]
    pub(crate) fn given(&self) -> &Given {
        &self.given
    }

    /// The settings of most verbs.
    ///
    /// # Errors
    /// [`SettingsError`], which names the variable.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::resolve(self.given.clone())
    }

    /// What the user's session says.
    ///
    /// # Errors
    /// As for [`Settings::host`].
    pub(crate) fn host(&self) -> Result<HostSettings, SettingsError> {
        self.read()
    }

    /// The values of a group of settings.
    ///
    /// # Errors
    /// [`SettingsError`], which names the variable.
    pub(crate) fn read<G: Group>(&self) -> Result<G, SettingsError> {
        G::read(&self.given)
    }
}
