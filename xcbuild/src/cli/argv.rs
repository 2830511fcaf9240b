//! The command line before it is parsed: the contract's spellings become those that the parser knows.
//!
//! | given | becomes | why |
//! |---|---|---|
//! | `--nets_vm=0,1` | `--nets-vm=0,1` | the contract spells options as their variables |
//! | `--mem201=384` | the variable `__mem201` | a setting of a single node is no option of its own |
//! | `iso create -joliet-long` | `--joliet-long` | genisoimage and xorrisofs spell so: see `iso/spelling.rs` |
//!
//! Only options before the verb's arguments are touched: what follows belongs to the verb, or to a
//! command on a node; a verb with the grammar of other programs has it in its own file. All else that the contract says of options needs no rewriting: an option of
//! another verb, `mkcdrom --nrouters=1`, is one of the verb's own that help does not show, and what the
//! environment has, `__dest=DIR`, is read by the settings themselves.

use std::ffi::OsString;

use super::verbs::VERBS;
use crate::settings::{Given, options};

/// The words before the first of the verb's arguments: the program and the verb.
const WORDS_BEFORE: usize = 2;

/// The command line as the parser takes it; settings of single nodes go to what is given.
pub(super) fn normalized(
    arguments: impl IntoIterator<Item = OsString>,
    given: &mut Given,
) -> Vec<OsString> {
    let mut done: Vec<OsString> = Vec::new();
    let mut words = 0;
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        let option = text.strip_prefix("--").filter(|option| !option.is_empty());
        match option.filter(|_| words <= WORDS_BEFORE) {
            Some(option) => done.extend(long(option, given)),
            None => {
                words += 1;
                done.push(argument);
            }
        }
    }
    let is_word = |argument: &&OsString| !argument.as_encoded_bytes().starts_with(b"-");
    let name = done.iter().skip(1).find(is_word);
    match VERBS.iter().find(|verb| name.is_some_and(|name| name == verb.name)) {
        Some(verb) => (verb.spelled)(done),
        None => done,
    }
}

/// An option, without its dashes, as the parser knows it; `None` if it is a setting of a single node.
fn long(option: &str, given: &mut Given) -> Option<OsString> {
    let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
    let Some(value) = value else { return Some(format!("--{}", name.replace('_', "-")).into()) };
    if let Some(variable) = options::of_node(&name.replace('-', "_")) {
        given.set_option(&variable, value);
        return None;
    }
    Some(format!("--{}={value}", name.replace('_', "-")).into())
}

#[cfg(test)]
mod tests {
    use super::normalized;
    use crate::settings::Given;

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
            ("x start --kvm-opt3=-x", "x start", &[("__kvm_opt3", "-x")]),
            ("x start --mem999=384", "x start --mem999=384", &[]),
            ("x rsh --bg 1 ls --full_time", "x rsh --bg 1 ls --full_time", &[]),
            ("x mkcdrom a_b --x_y=z_z", "x mkcdrom a_b --x_y=z_z", &[]),
            ("x iso create -R -boot-info-table d", "x iso create -R --boot-info-table d", &[]),
            ("x iso create -volid v d", "x iso create --volid v d", &[]),
            ("x iso ls -joliet-long", "x iso ls -joliet-long", &[]),
            ("x rsh 1 create -publisher", "x rsh 1 create -publisher", &[]),
        ];
        for (line, expected, set) in rows {
            let mut given = Given::default();
            let done = normalized(line.split(' ').map(Into::into), &mut given);
            let done: Vec<_> = done.iter().map(|a| a.to_str().unwrap()).collect();
            assert_eq!(done.join(" "), *expected);
            assert_eq!(given.pairs(), *set, "{line}");
        }
    }
}
