//! A Corefile as words.
//!
//! Words are separated by white space. A word that starts with `"` goes on to the next `"`, over
//! lines too, with `\"` for a quote in it. `#` outside of quotes starts a comment, wherever it
//! stands. There is nothing else: braces are words like others, and have to stand alone.

use std::sync::Arc;

use crate::place::{ParseError, Place};

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) place: Place,
    /// It was in quotes, so that it is never a brace.
    pub(crate) quoted: bool,
}

impl Word {
    /// Whether this is the brace `brace`.
    pub(crate) fn is(&self, brace: &str) -> bool {
        !self.quoted && self.text == brace
    }
}

/// The words of a text.
pub(crate) fn words(file: &str, text: &str) -> Result<Vec<Word>, ParseError> {
    let file: Arc<str> = file.into();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut chars = text.chars().peekable();
    let (mut words, mut line) = (Vec::new(), 1);
    while let Some(char) = chars.next() {
        let place = Place { file: Arc::clone(&file), line };
        match char {
            '\n' => line += 1,
            '#' => while chars.next_if(|&next| next != '\n').is_some() {},
            '"' => {
                let text = quoted(&mut chars, &mut line)
                    .ok_or_else(|| place.error("a quotation mark is never closed"))?;
                words.push(Word { text, place, quoted: true });
            }
            char if char.is_whitespace() => {}
            char => {
                let mut text = String::from(char);
                while let Some(next) = chars.next_if(|next| !next.is_whitespace() && *next != '#') {
                    text.push(next);
                }
                words.push(Word { text, place, quoted: false });
            }
        }
    }
    Ok(words)
}

/// The text up to the closing quote, which is taken; lines are counted.
fn quoted(chars: &mut impl Iterator<Item = char>, line: &mut usize) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => match chars.next()? {
                '"' => text.push('"'),
                other => {
                    *line += usize::from(other == '\n');
                    text.extend(['\\', other]);
                }
            },
            other => {
                *line += usize::from(other == '\n');
                text.push(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_lines() {
        let text =
            "\u{feff}.:53 {\r\n  log # all of it\n\n\tforward . \"a b\n\\\"c\\d\" e#f\n}\"}\" \"\"";
        let shown: Vec<String> = words("f", text)
            .unwrap()
            .iter()
            .map(|word| {
                let quote = if word.quoted { "'" } else { "" };
                format!("{} {quote}{}{quote}", word.place.line, word.text.escape_debug())
            })
            .collect();
        assert_eq!(
            shown,
            [
                "1 .:53",
                "1 {",
                "2 log",
                "4 forward",
                "4 .",
                "4 'a b\\n\\\"c\\\\d'",
                "5 e",
                "6 }\\\"}\\\"",
                "6 ''"
            ]
        );
        let error = words("f", "a\nb \"c\n\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "f:2 - Error during parsing: a quotation mark is never closed"
        );
    }
}
