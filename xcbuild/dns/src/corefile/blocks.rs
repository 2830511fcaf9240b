//! Words as server blocks and directives, without a look at what they mean.
//!
//! ```text
//! KEY KEY {                  one or several keys; a comma may stand behind each
//!     plugin argument {      a directive, with its options in braces
//!         option argument
//!     }
//! }
//! (name) { ... }             a snippet, put where `import name` stands
//! ```
//! A file with one block may have its keys and directives without braces. Environment variables,
//! `{$NAME}` and `{%NAME%}`, are put into words, where `import` has a file name too.

use std::collections::HashMap;

use super::lexer::{Word, words};
use super::outside::Outside;
use crate::place::{ParseError, Place};

/// Imports in one file, at most: two that import each other would never end.
const MAX_IMPORTS: usize = 1000;
/// Words to come, at most, after an import.
const MAX_WORDS: usize = 100_000;

/// A server block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) keys: Vec<Word>,
    pub(crate) directives: Vec<Directive>,
}

/// A plugin in a server block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    pub(crate) name: Word,
    pub(crate) arguments: Vec<Word>,
    /// The lines between its braces, of one word at least.
    pub(crate) options: Vec<Vec<Word>>,
}

/// The server blocks of a text.
pub(crate) fn blocks(
    file: &str,
    text: &str,
    outside: &dyn Outside,
) -> Result<Vec<Block>, ParseError> {
    let mut words = words(file, text)?;
    words.reverse();
    let snippets = HashMap::new();
    let last = words.first().map_or(1, |word| word.place.line);
    let end = Place { file: file.into(), line: last };
    let mut parser = Parser { rest: words, end, outside, snippets, imports: 0 };
    let mut blocks = Vec::new();
    while !parser.rest.is_empty() {
        if let Some(block) = parser.block()? {
            blocks.push(block);
        }
    }
    Ok(blocks)
}

struct Parser<'a> {
    /// The words to come, the next one last.
    rest: Vec<Word>,
    /// Where the text ends.
    end: Place,
    outside: &'a dyn Outside,
    snippets: HashMap<String, Vec<Word>>,
    imports: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Word, ParseError> {
        let end = || self.end.error("unexpected end of the file: a `}` is missing");
        let mut word = self.rest.pop().ok_or_else(end)?;
        word.text = self.expand(&word.text);
        Ok(word)
    }

    /// The next word if it stands on the line of `word`.
    fn next_on_line(&mut self, word: &Word) -> Result<Option<Word>, ParseError> {
        match self.rest.last() {
            Some(next) if next.place == word.place => self.next().map(Some),
            _ => Ok(None),
        }
    }

    /// A block; `None` for a snippet, which is kept.
    fn block(&mut self) -> Result<Option<Block>, ParseError> {
        let keys = self.keys()?;
        let braces = self.rest.last().is_some_and(|word| word.is("{"));
        if let Some(name) = snippet_name(&keys) {
            return self.snippet(name, &keys[0].place).map(|()| None);
        }
        if braces {
            let brace = self.next()?;
            if keys.is_empty() {
                return Err(brace.place.error("a key is expected before `{`, such as `.:53`"));
            }
        }
        let mut directives = Vec::new();
        loop {
            match self.rest.last() {
                Some(word) if word.is("}") => {
                    let brace = self.next()?;
                    match braces {
                        true => break,
                        false => return Err(brace.place.error("unexpected `}`")),
                    }
                }
                None if !braces => break,
                _ => {}
            }
            let name = self.next()?;
            if name.is("{") {
                return Err(name.place.error("unexpected `{`: a plugin is expected"));
            }
            if name.text == "import" && !name.quoted {
                self.import(&name)?;
            } else {
                directives.push(self.directive(name)?);
            }
        }
        Ok(Some(Block { keys, directives }))
    }

    /// The keys before a block: those of one line, and of more after a comma.
    fn keys(&mut self) -> Result<Vec<Word>, ParseError> {
        let mut keys: Vec<Word> = Vec::new();
        let mut comma = false;
        while let Some(next) = self.rest.last() {
            if next.is("{") {
                if comma {
                    return Err(next.place.error("a key is expected after the comma"));
                }
                break;
            }
            if !comma && keys.last().is_some_and(|last| last.place != next.place) {
                break;
            }
            let mut word = self.next()?;
            if word.is("}") {
                return Err(word.place.error("unexpected `}`"));
            }
            if word.text == "import" && keys.is_empty() {
                self.import(&word)?;
                continue;
            }
            comma = word.text.ends_with(',');
            if comma {
                word.text.pop();
            }
            if !word.text.is_empty() {
                keys.push(word);
            }
        }
        if comma {
            return Err(self.end.error("a key is expected after the comma"));
        }
        Ok(keys)
    }

    fn snippet(&mut self, name: String, place: &Place) -> Result<(), ParseError> {
        if !self.next()?.is("{") {
            return Err(place.error(format!("the snippet ({name}) needs braces")));
        }
        let (mut words, mut depth) = (Vec::new(), 1);
        loop {
            let end = || self.end.error(format!("the snippet ({name}) has no closing `}}`"));
            let word = self.rest.pop().ok_or_else(end)?;
            depth += usize::from(word.is("{"));
            depth -= usize::from(word.is("}"));
            if depth == 0 {
                break;
            }
            words.push(word);
        }
        match self.snippets.insert(name.clone(), words) {
            Some(_) => Err(place.error(format!("the snippet ({name}) is defined twice"))),
            None => Ok(()),
        }
    }

    /// Puts what is imported before the words to come.
    fn import(&mut self, import: &Word) -> Result<(), ParseError> {
        let what = self.next_on_line(import)?;
        let what = what.ok_or_else(|| import.place.error("import needs a snippet or a file"))?;
        if let Some(more) = self.next_on_line(import)? {
            return Err(more
                .place
                .error(format!("import takes one argument, not `{}`", more.text)));
        }
        self.imports += 1;
        if self.imports > MAX_IMPORTS {
            return Err(import.place.error("too many imports: do they import each other?"));
        }
        let imported = match self.snippets.get(&what.text) {
            Some(snippet) => snippet.clone(),
            None => {
                let files = self.outside.import(&import.place.file, &what.text);
                let files = files
                    .map_err(|why| import.place.error(format!("import {}: {why}", what.text)))?;
                let imported = files.iter().map(|(file, text)| words(file, text));
                imported.collect::<Result<Vec<_>, _>>()?.concat()
            }
        };
        self.rest.extend(imported.into_iter().rev());
        match self.rest.len() > MAX_WORDS {
            true => Err(import.place.error("too much is imported")),
            false => Ok(()),
        }
    }

    fn directive(&mut self, name: Word) -> Result<Directive, ParseError> {
        let mut arguments = Vec::new();
        while let Some(word) = self.next_on_line(&name)? {
            if word.is("{") {
                let options = self.options(&name)?;
                return Ok(Directive { name, arguments, options });
            }
            if word.is("}") {
                // `. { log }` on one line: the brace is the block's.
                self.rest.push(word);
                break;
            }
            arguments.push(word);
        }
        Ok(Directive { name, arguments, options: Vec::new() })
    }

    /// The lines up to the closing brace.
    fn options(&mut self, directive: &Word) -> Result<Vec<Vec<Word>>, ParseError> {
        let mut options: Vec<Vec<Word>> = Vec::new();
        loop {
            let word = self.next()?;
            let starts = options.last().and_then(|option| option.first());
            let starts = starts.is_none_or(|first| first.place != word.place);
            if word.is("}") {
                return Ok(options);
            }
            if word.is("{") {
                let name = &directive.text;
                return Err(word.place.error(format!("unexpected `{{` in the options of {name}")));
            }
            if word.text == "import" && !word.quoted && starts {
                self.import(&word)?;
                continue;
            }
            match options.last_mut() {
                Some(option) if !starts => option.push(word),
                _ => options.push(vec![word]),
            }
        }
    }

    /// The text with its environment variables; those that are not set are empty.
    fn expand(&self, text: &str) -> String {
        let text = self.expand_form(text, "{%", "%}");
        self.expand_form(&text, "{$", "}")
    }

    fn expand_form(&self, text: &str, start: &str, end: &str) -> String {
        let (mut expanded, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, after)) = rest.split_once(start) {
            let Some((name, after)) = after.split_once(end).filter(|(name, _)| !name.is_empty())
            else {
                break;
            };
            expanded.push_str(before);
            expanded.push_str(&self.outside.variable(name).unwrap_or_default());
            rest = after;
        }
        expanded + rest
    }
}

/// The name of a snippet: its only key, in parentheses.
fn snippet_name(keys: &[Word]) -> Option<String> {
    let [key] = keys else { return None };
    Some(key.text.strip_prefix('(')?.strip_suffix(')')?.to_owned())
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
