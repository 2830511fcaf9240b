//! Words as a shell takes them: several in one text, and one as text.
//!
//! Splitting is `shlex`'s. Quoting is by hand: `shlex` quotes `x=1` as well, and scripts cut the
//! lines of `xcbuild env` as they are.

/// A quote that is opened and not closed, or a backslash before nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quote is not closed")]
pub struct UnclosedQuote;

/// Splits a text at blanks. In one that has quotes or backslashes these keep blanks in a word, and an
/// unquoted `#` before a word begins a comment, as in a shell; nothing else has a meaning.
///
/// # Errors
/// [`UnclosedQuote`].
pub fn split(text: &str) -> Result<Vec<String>, UnclosedQuote> {
    // As ever: `#` has no meaning in plain words.
    if !text.contains(['\'', '"', '\\']) {
        return Ok(text.split_whitespace().map(ToOwned::to_owned).collect());
    }
    shlex::split(text).ok_or(UnclosedQuote)
}

/// A word as a shell takes it, for people and scripts to paste; in quotes only where it has to be.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{UnclosedQuote, quote, split};

    #[test]
    fn plain_words_are_split_at_blanks_and_quotes_keep_them() {
        for (text, words) in [
            ("", &[] as &[&str]),
            (" -uuid  x\n", &["-uuid", "x"]),
            ("-a #b c", &["-a", "#b", "c"]),
            ("-name 'a b'", &["-name", "a b"]),
            (r#"-name "it's" b\ c"#, &["-name", "it's", "b c"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("-name it's"), Err(UnclosedQuote));
    }

    #[test]
    fn what_is_quoted_is_one_word() {
        for word in ["", "a b", "it's", "x=1", "a\\b", "#", "\"", "$x", "a\nb"] {
            assert_eq!(split(&format!("a {} b", quote(word))).unwrap()[1], word);
        }
        assert_eq!(quote("x=1"), "x=1");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
