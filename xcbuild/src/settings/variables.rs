//! The environment, with the command line written over it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Names and values. One that is set to nothing counts as unset, as the contract's shell tool has
/// it; values that are not UTF-8 are left out, since none of ours can be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let text = |(n, v): (std::ffi::OsString, std::ffi::OsString)| {
            Some((n.into_string().ok()?, v.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// Variables from names and values.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
    }

    /// The value of a variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The value, or a default.
    pub fn or(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    /// Sets a variable, as an option on the command line does.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Writes the options of a verb over the environment: each field that is given, `nets_vm`, as
    /// `__nets_vm`. A flag is `yes`, and one that is not given changes nothing.
    pub fn set_options(&mut self, options: &impl Serialize) {
        let Ok(Value::Object(fields)) = serde_json::to_value(options) else { return };
        for (name, value) in fields {
            let text = match value {
                Value::Null | Value::Bool(false) => continue,
                Value::Bool(true) => "yes".to_owned(),
                Value::String(text) => text,
                Value::Array(items) => {
                    let texts = items.iter().map(|i| i.as_str().unwrap_or_default());
                    let joined = texts.collect::<Vec<_>>().join(",");
                    if joined.is_empty() {
                        continue;
                    }
                    joined
                }
                other => other.to_string(),
            };
            self.set(format!("__{name}"), text);
        }
    }

    /// All that are set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::Variables;

    #[derive(serde::Serialize)]
    struct Options {
        nets_vm: Option<String>,
        mem: Option<u32>,
        bg: bool,
        upstream: Vec<String>,
    }

    #[test]
    fn options_beat_the_environment_when_they_are_given() {
        let mut v = Variables::from_pairs([("__mem", "1"), ("__nets_vm", "0,9"), ("__bg", "x")]);
        v.set_options(&Options { nets_vm: None, mem: Some(2), bg: false, upstream: vec![] });
        let all: Vec<_> = v.iter().collect();
        assert_eq!(all, [("__bg", "x"), ("__mem", "2"), ("__nets_vm", "0,9")]);
        let upstream = vec!["a".to_owned(), "b".to_owned()];
        v.set_options(&Options { nets_vm: Some("0".into()), mem: None, bg: true, upstream });
        let all: Vec<_> = v.iter().collect();
        let expected = [("__bg", "yes"), ("__mem", "2"), ("__nets_vm", "0"), ("__upstream", "a,b")];
        assert_eq!(all, expected);
    }
}
