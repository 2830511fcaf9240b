//! What leaves by the names of the contract: what `xcbuild env` prints, fit for `eval`, and what
//! overlays' scripts get.

use std::collections::BTreeMap;

use xc_overlay::Passed;

use super::definition::{Definition, Kind};
use super::{Given, Settings, Variables, defaults, table};

/// The variables of options begin so.
const OF_OPTIONS: &str = "__";
/// The tool's own variables begin so. (`XCLUSTER` itself is the caller's.)
const OF_TOOL: &str = "XCLUSTER_";

impl Settings {
    /// The contract's variables with their values, in the order of the table.
    pub(crate) fn contract(&self) -> Vec<(&'static str, String)> {
        let printed = table::all().filter(|definition| definition.env.is_some());
        printed.map(|definition| (definition.variable, shown(definition, &self.given))).collect()
    }

    /// What is set besides the contract's variables and is a setting by its name.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = |name: &str| table::find(name).is_some_and(|d| d.env.is_some());
        self.given.variables().iter().filter(move |(name, _)| is_setting(name) && !known(name))
    }

    /// What overlays' scripts get: the contract's variables, and what is set besides.
    pub(crate) fn of_scripts(&self) -> BTreeMap<String, String> {
        let contract = self.contract().into_iter().map(|(name, value)| (name.to_owned(), value));
        let passed = passed();
        let set = self.given.variables().iter().filter(|(name, _)| passed.contains(name));
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        contract.chain(set).collect()
    }

    /// The variables that overlays' manifests may declare, and topologies.
    pub(crate) fn variables(&self) -> &Variables {
        self.given.variables()
    }
}

/// Which variables overlays' scripts get if they are set.
pub(crate) fn passed() -> Passed {
    let names = |wanted: fn(&Definition) -> bool| {
        table::all().filter(|d| wanted(d)).map(|d| d.variable).collect()
    };
    Passed { others: names(|d| d.scripts), neutral: names(|d| d.neutral) }
}

/// Whether a variable is a setting by its name.
fn is_setting(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain && (name.starts_with(OF_OPTIONS) || name.starts_with(OF_TOOL))
}

/// A value as scripts read it.
fn shown(definition: &Definition, given: &Given) -> String {
    // What has no value here has made the settings fail before.
    let text = defaults::text(definition, given).ok().flatten();
    let text = text.unwrap_or_else(|| definition.env.unwrap_or_default().to_owned());
    match definition.kind {
        Kind::Number(..) => text.trim().to_owned(),
        Kind::Paths => {
            text.split(':').filter(|path| !path.is_empty()).collect::<Vec<_>>().join(":")
        }
        _ => text,
    }
}
