//! A master file as entries: logical lines of words (RFC 1035 section 5.1).
//!
//! An entry ends with its line, or goes on while parentheses are open. `;` starts a comment. Escapes
//! stay in the words, since what they mean depends on where the word stands: `\.` is a dot within a
//! label.

use std::sync::Arc;

use crate::place::{ParseError, Place};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    /// It begins with white space: it is about the same name as the one before.
    pub(crate) indented: bool,
    pub(crate) words: Vec<String>,
}

/// The entries of a text that have words.
pub(crate) fn entries(file: &str, text: &str) -> Result<Vec<Entry>, ParseError> {
    let mut lexer =
        Lexer { file: file.into(), line: 1, open: None, entry: None, entries: Vec::new() };
    let mut chars = text.chars().peekable();
    let mut line_start = true;
    while let Some(char) = chars.next() {
        let starts = std::mem::replace(&mut line_start, char == '\n');
        match char {
            ';' => while chars.next_if(|&next| next != '\n').is_some() {},
            '\n' => lexer.end_line(),
            '(' => lexer.open()?,
            ')' => lexer.close()?,
            char if char.is_whitespace() => lexer.indent(starts && char != '\r'),
            char => {
                let word = word(char, &mut chars);
                let word =
                    word.ok_or_else(|| lexer.place().error("a quotation mark is not closed"))?;
                lexer.entry(false).words.push(word);
            }
        }
    }
    if let Some(line) = lexer.open {
        return Err(Place { file: lexer.file, line }.error("a parenthesis is not closed"));
    }
    lexer.end_line();
    Ok(lexer.entries)
}

/// A word, its quotes taken off and its escapes left in; `None` if the quotes don't end on the line.
fn word(
    first: char,
    chars: &mut std::iter::Peekable<impl Iterator<Item = char>>,
) -> Option<String> {
    let quoted = first == '"';
    let mut word = String::new();
    if !quoted {
        word.push(first);
        if first == '\\' {
            word.extend(chars.next_if(|&next| next != '\n'));
        }
    }
    let ends = |char: char| match quoted {
        true => char == '"' || char == '\n',
        false => char.is_whitespace() || matches!(char, ';' | '(' | ')' | '"'),
    };
    while let Some(char) = chars.next_if(|&next| !ends(next)) {
        word.push(char);
        if char == '\\' {
            word.extend(chars.next_if(|&next| next != '\n'));
        }
    }
    match quoted {
        true => chars.next_if_eq(&'"').map(|_| word),
        false => Some(word),
    }
}

struct Lexer {
    file: Arc<str>,
    line: usize,
    /// The line of the open parenthesis.
    open: Option<usize>,
    /// The entry under way.
    entry: Option<Entry>,
    entries: Vec<Entry>,
}

impl Lexer {
    fn place(&self) -> Place {
        Place { file: Arc::clone(&self.file), line: self.line }
    }

    fn entry(&mut self, indented: bool) -> &mut Entry {
        let place = self.place();
        self.entry.get_or_insert(Entry { place, indented, words: Vec::new() })
    }

    fn indent(&mut self, starts_line: bool) {
        if starts_line && self.open.is_none() {
            self.entry(true);
        }
    }

    fn open(&mut self) -> Result<(), ParseError> {
        match self.open.replace(self.line) {
            Some(_) => Err(self.place().error("a parenthesis within parentheses")),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), ParseError> {
        self.open.take().map(drop).ok_or_else(|| self.place().error("unexpected `)`"))
    }

    fn end_line(&mut self) {
        self.line += 1;
        if self.open.is_none() {
            self.entries.extend(self.entry.take().filter(|entry| !entry.words.is_empty()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_their_lines() {
        let text = "$TTL 60 ; comment\n@ SOA ns a ( 1 ; serial\n  2\n 3 ) 4\n\n  A 10.0.0.1\r\n   \n\
                    t TXT \"a; b\" c\\;d \"e\\\"f\"\"g\"";
        let shown: Vec<String> = entries("f", text)
            .unwrap()
            .iter()
            .map(|entry| {
                let indent = if entry.indented { " " } else { "" };
                format!("{}:{indent}{}", entry.place.line, entry.words.join("|"))
            })
            .collect();
        assert_eq!(
            shown,
            ["1:$TTL|60", "2:@|SOA|ns|a|1|2|3|4", "6: A|10.0.0.1", "8:t|TXT|a; b|c\\;d|e\\\"f|g"]
        );
        for (text, expected) in [
            ("a (\n\n", "f:1 - Error during parsing: a parenthesis is not closed"),
            ("a\n)", "f:2 - Error during parsing: unexpected `)`"),
            ("( (", "f:1 - Error during parsing: a parenthesis within parentheses"),
            ("a \"b\nc\"", "f:1 - Error during parsing: a quotation mark is not closed"),
        ] {
            assert_eq!(entries("f", text).unwrap_err().to_string(), expected);
        }
    }
}
