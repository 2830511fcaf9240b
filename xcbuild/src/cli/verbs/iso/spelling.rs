//! The options of genisoimage and xorrisofs, put into the form that the parser knows.
//!
//! Those have long options with one `-` or two. Here a word with one `-` and several letters is
//!
//! | the word | is |
//! |---|---|
//! | a long option of `create`, such as `-volid` | that option |
//! | one of [`IGNORED`], such as `-pad` | left out, and said to be |
//! | letters of options without values, such as `-RJ` | those options |
//! | a letter with a value that no option's name looks like, such as `-ox.iso`, `-VDATA` | that option |
//! | anything else, such as `-omit-perod` | a long option that there is not: a wrong command line |

use std::ffi::OsString;

use clap::{Arg, ArgAction, Args, Command};

use super::create;

/// The option that says to `create` what was left out.
pub(super) const LEFT_OUT: &str = "left-out";

/// Options that all verbs have.
const ALL_VERBS: [&str; 2] = ["help", "quiet"];

/// Options that make no difference here, and whether a value follows: how names look to readers
/// that know nothing of Rock Ridge and Joliet, which is fixed; what is padded, cached or shown.
const IGNORED: &[(&str, bool)] = &[
    ("D", false),
    ("L", false),
    ("N", false),
    ("U", false),
    ("allow-leading-dots", false),
    ("allow-limited-size", false),
    ("allow-lowercase", false),
    ("allow-multidot", false),
    ("cache-inodes", false),
    ("d", false),
    ("disable-deep-relocation", false),
    ("duplicates-once", false),
    ("full-iso9660-filenames", false),
    ("gui", false),
    ("hide-rr-moved", false),
    ("input-charset", true),
    ("jcharset", true),
    ("ldots", false),
    ("log-file", true),
    ("max-iso9660-filenames", false),
    ("no-bak", false),
    ("no-cache-inodes", false),
    ("no-iso-translate", false),
    ("no-pad", false),
    ("omit-period", false),
    ("omit-version-number", false),
    ("output-charset", true),
    ("pad", false),
    ("relaxed-filenames", false),
    ("rrip110", false),
    ("rrip112", false),
    ("sort", true),
    ("untranslated-filenames", false),
    ("use-fileversion", false),
    ("v", false),
    ("verbose", false),
];

/// Puts the options after `iso create` into that form.
pub(super) fn normal(arguments: Vec<OsString>) -> Vec<OsString> {
    let is_word = |argument: &OsString| !argument.as_encoded_bytes().starts_with(b"-");
    let mut words = arguments.iter().enumerate().skip(1).filter(|(_, word)| is_word(word));
    let verb = (words.next(), words.next());
    let (Some((_, iso)), Some((at, create))) = verb else { return arguments };
    if iso != "iso" || create != "create" {
        return arguments;
    }
    let command = create::Arguments::augment_args(Command::new("create"));
    let options = Options { known: command.get_arguments().collect() };
    let mut done = arguments;
    let mut rest = done.split_off(at + 1).into_iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            done.push(word);
            break;
        }
        options.put(word, &mut rest, &mut done);
    }
    done.extend(rest);
    done
}

struct Options<'a> {
    known: Vec<&'a Arg>,
}

/// What a word of the command line is.
enum Word {
    /// Nothing of ours to change; whether the word after it is its value.
    Plain { value_follows: bool },
    /// An option, as the parser has it.
    Long { name: String, value_follows: bool },
    /// An option that makes no difference.
    Ignored { value_follows: bool },
}

impl Options<'_> {
    /// Appends a word, and the value after it if it has one there.
    fn put(
        &self,
        word: OsString,
        rest: &mut impl Iterator<Item = OsString>,
        done: &mut Vec<OsString>,
    ) {
        let value_follows = match word.to_str().map(|text| self.meaning(text)) {
            Some(Word::Long { name, value_follows }) => {
                done.push(format!("--{name}").into());
                value_follows
            }
            Some(Word::Ignored { value_follows }) => {
                done.push(format!("--{LEFT_OUT}={}", word.to_string_lossy()).into());
                if value_follows {
                    rest.next();
                }
                return;
            }
            Some(Word::Plain { value_follows }) => {
                done.push(word);
                value_follows
            }
            None => return done.push(word),
        };
        if value_follows {
            done.extend(rest.next());
        }
    }

    fn meaning(&self, text: &str) -> Word {
        let plain = Word::Plain { value_follows: false };
        let Some(option) = text.strip_prefix('-').filter(|option| !option.is_empty()) else {
            return plain;
        };
        let (name, is_double) = option.strip_prefix('-').map_or((option, false), |n| (n, true));
        let (stem, has_value) =
            name.split_once('=').map_or((name, false), |(stem, _)| (stem, true));
        if let Some(arg) = self.known.iter().find(|arg| is_called(arg, stem)) {
            let value_follows = !has_value && takes_value(arg);
            return Word::Long { name: name.into(), value_follows };
        }
        if ALL_VERBS.contains(&name) {
            return Word::Long { name: name.into(), value_follows: false };
        }
        if let Some((_, value_follows)) = IGNORED.iter().find(|(ignored, _)| *ignored == stem) {
            return Word::Ignored { value_follows: *value_follows && !has_value };
        }
        if is_double || option.chars().count() == 1 && self.letters(option).is_none() {
            return plain;
        }
        match self.letters(option) {
            Some(value_follows) => Word::Plain { value_follows },
            None => Word::Long { name: name.into(), value_follows: false },
        }
    }

    /// Whether the value of the last of these letters follows; `None` if they are not all options.
    fn letters(&self, letters: &str) -> Option<bool> {
        for (at, letter) in letters.char_indices() {
            let single = letters.len() == letter.len_utf8();
            let help = matches!(letter, 'h' | 'q') && single;
            let arg = self.known.iter().find(|arg| arg.get_short() == Some(letter));
            match arg {
                Some(arg) if takes_value(arg) => {
                    let value = &letters[at + letter.len_utf8()..];
                    return (value.is_empty() || !could_be_name(value)).then_some(value.is_empty());
                }
                Some(_) => {}
                None if help => {}
                None => return None,
            }
        }
        Some(false)
    }
}

fn is_called(arg: &Arg, name: &str) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    name.len() > 1 && (arg.get_long() == Some(name) || aliases.contains(&name))
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// Whether a value looks like the rest of an option's name.
fn could_be_name(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{IGNORED, normal};

    fn done(given: &str) -> String {
        normal(given.split(' ').map(Into::into).collect()).join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn options_of_the_peers_become_ours() {
        let rows = [
            ("-R -boot-info-table d", "-R --boot-info-table d"),
            ("-output f -volid v -joliet -rock d", "--output f --volid v --joliet --rock d"),
            ("--output f --volid=v d", "--output f --volid=v d"),
            ("-volid=v -output=f", "--volid=v --output=f"),
            ("-V -pad -o -rock", "-V -pad -o -rock"),
            ("-pad -input-charset utf-8 d", "--left-out=-pad --left-out=-input-charset d"),
            ("--pad -sort=x -D d", "--left-out=--pad --left-out=-sort=x --left-out=-D d"),
            ("-quiet -help", "--quiet --help"),
            ("-RJ -rJo f -of.iso -VDATA", "-RJ -rJo f -of.iso -VDATA"),
            ("-omit-perod -hfsplus -hfs", "--omit-perod --hfsplus --hfs"),
            ("-outptu -graft-points -m x", "--outptu --graft-points -m x"),
            ("-q -h -f - -- -rock", "-q -h -f - -- -rock"),
        ];
        for (given, expected) in rows {
            assert_eq!(done(&format!("x iso create {given}")), format!("x iso create {expected}"));
        }
        assert_eq!(done("x --quiet iso create -rock d"), "x --quiet iso create --rock d");
        for other in ["x iso ls -joliet-long", "x rsh 1 create -publisher", "x iso", "x"] {
            assert_eq!(done(other), other);
        }
    }

    #[test]
    fn the_list_is_sorted_and_has_nothing_that_we_know() {
        assert!(IGNORED.is_sorted());
        for (name, _) in IGNORED {
            assert!(done(&format!("x iso create -{name}")).contains("--left-out="), "{name}");
        }
    }
}
