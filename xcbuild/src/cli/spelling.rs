//! The contract's spellings of options, put into the one that the parser knows.
//!
//! `--nets_vm` is `--nets-vm`; `--mem201=384` is no option of its own but the setting `__mem201`.

use std::ffi::OsString;

use crate::settings::Variables;
use xc_topology::address::NodeId;

/// Options that may be given for one node, by its number at their end.
const PER_NODE: &[&str] = &["append", "kvm_opt", "mem", "nets", "smp"];

/// The command line as the parser takes it; settings of single nodes go into the variables.
///
/// Only options before the verb's arguments are touched: what follows belongs to the verb, or to a
/// command on a node.
pub fn normal(
    arguments: impl IntoIterator<Item = OsString>,
    variables: &mut Variables,
) -> Vec<OsString> {
    let mut done = Vec::new();
    // The program and the verb are plain words; the third starts the verb's arguments.
    let mut options_left = 3_u8;
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        let option = text.strip_prefix("--").filter(|o| !o.is_empty());
        let Some(option) = option.filter(|_| options_left > 0) else {
            options_left = options_left.saturating_sub(1);
            done.push(argument);
            continue;
        };
        let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
        let name = name.replace('-', "_");
        match value {
            Some(value) if is_per_node(&name) => variables.set(format!("__{name}"), value),
            Some(value) => done.push(format!("--{}={value}", name.replace('_', "-")).into()),
            None => done.push(format!("--{}", name.replace('_', "-")).into()),
        }
    }
    done
}

fn is_per_node(name: &str) -> bool {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let option = name.strip_suffix(digits).unwrap_or(name);
    !digits.is_empty()
        && PER_NODE.contains(&option.trim_end_matches('_'))
        && digits.parse::<NodeId>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::normal;
    use crate::settings::Variables;

    #[test]
    fn spellings_become_one() {
        type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
        let rows: &[Row] = &[
            ("x start --nets_vm=0,1 --nrouters=1", "x start --nets-vm=0,1 --nrouters=1", &[]),
            (
                "x start --mem201=384 --nets1=0,1",
                "x start",
                &[("__mem201", "384"), ("__nets1", "0,1")],
            ),
            ("x start --mem999=384", "x start --mem999=384", &[]),
            ("x rsh --bg 1 ls --full_time", "x rsh --bg 1 ls --full_time", &[]),
            ("x mkcdrom a_b --x_y=z_z", "x mkcdrom a_b --x_y=z_z", &[]),
        ];
        for (given, expected, set) in rows {
            let mut variables = Variables::default();
            let done = normal(given.split(' ').map(Into::into), &mut variables);
            let done: Vec<_> = done.iter().map(|a| a.to_str().unwrap()).collect();
            assert_eq!(done.join(" "), *expected);
            assert_eq!(variables.iter().collect::<Vec<_>>(), *set, "{given}");
        }
    }
}
