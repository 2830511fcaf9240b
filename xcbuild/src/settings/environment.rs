//! The environment, with the command line written over it.

use serde::Serialize;
use serde_json::Value;
use xc_overlay::Variables;

/// The environment of this process. Values that are not UTF-8 are left out, since none of ours can
/// be.
pub fn of_process() -> Variables {
    let text = |(n, v): (std::ffi::OsString, std::ffi::OsString)| {
        Some((n.into_string().ok()?, v.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Writes the options of a verb over the environment: each field that is given, `nets_vm`, as
/// `__nets_vm`. A flag is `yes`, and one that is not given changes nothing.
pub fn set_options(variables: &mut Variables, options: &impl Serialize) {
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
        variables.set(format!("__{name}"), text);
    }
}

#[cfg(test)]
mod tests {
    use xc_overlay::Variables;

    use super::set_options;

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
        set_options(&mut v, &Options { nets_vm: None, mem: Some(2), bg: false, upstream: vec![] });
        let all: Vec<_> = v.iter().collect();
        assert_eq!(all, [("__bg", "x"), ("__mem", "2"), ("__nets_vm", "0,9")]);
        let upstream = vec!["a".to_owned(), "b".to_owned()];
        set_options(&mut v, &Options { nets_vm: Some("0".into()), mem: None, bg: true, upstream });
        let all: Vec<_> = v.iter().collect();
        let expected = [("__bg", "yes"), ("__mem", "2"), ("__nets_vm", "0"), ("__upstream", "a,b")];
        assert_eq!(all, expected);
    }
}
