//! What the user has set: the environment, with the options of the command line written over it.

use std::collections::BTreeSet;

use xc_overlay::Variables;

use super::definition::Definition;

/// Variables and their values, and which of them are options of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    variables: Variables,
    options: BTreeSet<String>,
}

impl Given {
    /// The environment of this process. Values that are not UTF-8 are left out, since none of ours can
    /// be.
    pub(crate) fn of_process() -> Self {
        let text = |(n, v): (std::ffi::OsString, std::ffi::OsString)| {
            Some((n.into_string().ok()?, v.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).collect::<Variables>().into()
    }

    /// All variables.
    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The text that a setting is set to.
    pub(super) fn get(&self, definition: &Definition) -> Option<&str> {
        self.variables.get(definition.variable)
    }

    /// Sets a variable as if the environment had it.
    pub(crate) fn set(&mut self, definition: &Definition, value: impl Into<String>) {
        self.variables.set(definition.variable, value);
    }

    /// Sets a variable by an option of the command line.
    pub(crate) fn set_option(&mut self, variable: &str, value: impl Into<String>) {
        self.options.insert(variable.into());
        self.variables.set(variable, value);
    }

    /// What messages call a setting: the option where it was given as one, else the variable.
    pub(super) fn name(&self, definition: &Definition) -> String {
        match definition.option.filter(|_| self.options.contains(definition.variable)) {
            Some(option) => format!("--{option}"),
            None => definition.variable.to_owned(),
        }
    }

    /// All that is set, by name.
    #[cfg(test)]
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.variables.iter().collect()
    }

    /// Unsets a variable.
    pub(super) fn unset(&mut self, definition: &Definition) {
        self.variables.set(definition.variable, "");
    }
}

impl From<Variables> for Given {
    fn from(variables: Variables) -> Self {
        Self { variables, options: BTreeSet::new() }
    }
}
