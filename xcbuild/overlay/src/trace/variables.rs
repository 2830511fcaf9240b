//! Which variables a script can have looked at.
//!
//! A variable decides something only if its name is written somewhere: in the script, in what it
//! sources, in a program of another language. So the names in all texts that were read count, and
//! no others. Where names may be put together or all variables are dumped (`eval`, `${!x}`, `set`,
//! `env`, a bare `__` …), all count. What is only copied is data, and its names count for nothing.
//!
//! Programs of the host know no names of the contract, but for those that mean something elsewhere
//! ([`GENERAL`]): these always count.

use std::collections::BTreeSet;

/// Names that programs know that never heard of the contract.
pub(super) const GENERAL: &[&str] = &["GOPATH", "HOME", "PATH", "PREFIX", "TEST", "TZ", "USER"];
/// Words that give access to variables without their names.
const DUMPS: &[&str] = &[
    "ENV",
    "ENVIRON",
    "VARIABLES",
    "compgen",
    "declare",
    "environ",
    "envsubst",
    "eval",
    "export_all",
    "printenv",
    "typeset",
];
/// Words that do so where no argument follows.
const BARE: &[&str] = &["env", "export", "set", "readonly"];
/// More names than this are no longer distinguished: all variables count.
const NAMES_MAX: usize = 512;

/// What texts say of variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mentions {
    /// Names that occur and may be variables of the contract.
    pub names: BTreeSet<String>,
    /// What of the machine a shell knows by a variable occurs.
    pub machine: bool,
    /// Why all variables count, if they do.
    pub all: Option<String>,
}

impl Mentions {
    /// Adds what a text mentions; `passes` says whether a name can be a variable of the contract.
    pub(super) fn add(&mut self, text: &[u8], passes: impl Fn(&str) -> bool) {
        if contains(text, b"${!") {
            self.all("`${!`");
        }
        let mut at = 0;
        while at < text.len() {
            let length = text[at..].iter().take_while(|b| is_word(**b)).count();
            if length > 0 {
                // Words are ASCII.
                let word = std::str::from_utf8(&text[at..at + length]).unwrap_or_default();
                self.word(word, &text[at + length..], &passes);
            }
            at += length.max(1);
        }
        if self.names.len() > NAMES_MAX {
            self.all("very many names");
        }
    }

    /// All variables count.
    pub(super) fn all(&mut self, why: &str) {
        self.all.get_or_insert_with(|| why.to_owned());
    }

    /// Adds what others mention.
    pub(super) fn join(&mut self, other: Self) {
        self.names.extend(other.names);
        self.machine |= other.machine;
        self.all = self.all.take().or(other.all);
    }

    fn word(&mut self, word: &str, after: &[u8], passes: impl Fn(&str) -> bool) {
        if DUMPS.contains(&word) || (BARE.contains(&word) && is_bare(after)) {
            self.all(&format!("`{word}`"));
        } else if is_put_together(word, after) {
            self.all(&format!("`{word}`, to which something is put"));
        } else if matches!(word, "HOSTNAME" | "HOSTTYPE" | "MACHTYPE" | "OSTYPE") {
            self.machine = true;
        } else if passes(word) {
            self.names.insert(word.to_owned());
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a word is only the start of names of the contract. `xcluster_$$` is what scripts call
/// their temporary directories.
fn is_put_together(word: &str, after: &[u8]) -> bool {
    word == "__" || (word == "xcluster_" && !after.starts_with(b"$$"))
}

/// Whether a command's arguments end here, or are options that make it print.
fn is_bare(after: &[u8]) -> bool {
    let rest = after.trim_ascii_start();
    let line_ends = after.iter().take_while(|b| b.is_ascii_whitespace()).any(|b| *b == b'\n');
    let ends = rest.first().is_none_or(|b| b"|>;&)`}".contains(b));
    ends || line_ends || rest.starts_with(b"-p") || rest.starts_with(b"-0")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::Mentions;

    fn mentions(text: &str) -> (Vec<String>, bool) {
        let mut found = Mentions::default();
        let passes = |n: &str| n == "SETUP" || n.starts_with("__") || n.starts_with("xcluster_");
        found.add(text.as_bytes(), passes);
        (found.names.into_iter().collect(), found.all.is_some())
    }

    #[test]
    fn names_count_and_dumps_count_for_all() {
        let rows: &[(&str, &[&str], bool)] = &[
            ("echo $SETUP", &["SETUP"], false),
            ("test -n \"${__nvm:-4}\"", &["__nvm"], false),
            ("echo $SETUPX $xSETUP my_SETUP", &[], false),
            ("import os; os.getenv('xcluster_A')", &["xcluster_A"], false),
            ("set -e\nset -- $(ls)\n#! /usr/bin/env bash\nexport PATH=x", &[], false),
            ("eval x=\\$$n", &[], true),
            ("echo ${!n}", &[], true),
            ("sh -c \"echo \\$__$n\"", &[], true),
            ("os.getenv('xcluster_' + n)", &[], true),
            ("tmp=/tmp/$USER/xcluster_$$", &["xcluster_"], false),
            ("set | grep xc", &[], true),
            ("x=$(set)", &[], true),
            ("set\n", &[], true),
            ("export -p", &[], true),
            ("env > f", &[], true),
            ("env\nls", &[], true),
            ("for k in os.environ: pass", &[], true),
            ("retrieval environment evaluate", &[], false),
        ];
        for (text, names, all) in rows {
            assert_eq!(
                mentions(text),
                (names.iter().map(ToString::to_string).collect(), *all),
                "{text}"
            );
        }
    }
}
