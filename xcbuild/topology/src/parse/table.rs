//! A strict walk over a TOML document: every value knows its place, every unknown field is refused.
//!
//! Not a deserialiser: a topology has values of several forms (`via = 201`, `via = "routers"`,
//! `via = [203, 204]`), and serde forgets the place of what it tries in turns. Here each reader says
//! what it takes, and an error always has the file and the line.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use xc_report::suggest::did_you_mean;

/// What is wrong with a topology file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct ParseError {
    /// The file as the caller named it.
    pub file: String,
    /// Line of the culprit, from 1.
    pub line: usize,
    /// What can't be, and what can.
    pub message: String,
}

/// The text under the parser, for turning places into lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// The file's name for messages.
    pub file: &'a str,
    /// Its whole text.
    pub text: &'a str,
}

impl Source<'_> {
    /// An error at a byte range of the text.
    pub(super) fn error(&self, span: &Range<usize>, message: impl fmt::Display) -> ParseError {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        ParseError {
            file: self.file.into(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            message: message.to_string(),
        }
    }
}

/// A value of the document with its place and the name that messages give it (``field `to` ``).
#[derive(Clone)]
pub(super) struct Value<'a> {
    source: Source<'a>,
    /// Where it stands in the text.
    pub span: Range<usize>,
    value: &'a DeValue<'a>,
    name: String,
}

impl<'a> Value<'a> {
    /// An error at this value.
    pub(super) fn error(&self, message: impl fmt::Display) -> ParseError {
        self.source.error(&self.span, message)
    }

    fn wrong(&self, wanted: &str) -> ParseError {
        self.error(format!("{} must be {wanted}, not {}", self.name, describe(self.value)))
    }

    /// The value as a string, or an error that says what was wanted.
    pub(super) fn string(&self, wanted: &str) -> Result<&'a str, ParseError> {
        self.as_string().ok_or_else(|| self.wrong(wanted))
    }

    /// The value if it is a string.
    pub(super) fn as_string(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The value if it is a whole number.
    pub(super) fn as_integer(&self) -> Option<i64> {
        let number = self.value.as_integer()?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// A whole number within limits.
    pub(super) fn integer(&self, limits: RangeInclusive<u32>) -> Result<u32, ParseError> {
        let wanted = || format!("a number from {} to {}", limits.start(), limits.end());
        let number = self.as_integer().ok_or_else(|| self.wrong(&wanted()))?;
        u32::try_from(number)
            .ok()
            .filter(|number| limits.contains(number))
            .ok_or_else(|| self.error(format!("{} is {number}, not {}", self.name, wanted())))
    }

    /// A number that fits a byte: a network's, a node's, a count.
    pub(super) fn byte(&self, limits: RangeInclusive<u8>) -> Result<u8, ParseError> {
        let number = self.integer((*limits.start()).into()..=(*limits.end()).into())?;
        u8::try_from(number).map_err(|_| self.wrong("a number up to 255"))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, ParseError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// The members of a list; a value that is no list is a list of itself.
    pub(super) fn members(&self) -> Vec<Value<'a>> {
        match self.value.as_array() {
            None => vec![self.clone()],
            Some(array) => array.iter().map(|v| self.inner(v, self.name.clone())).collect(),
        }
    }

    /// True where the value is a table, for fields that have a short and a long form.
    pub(super) fn is_table(&self) -> bool {
        self.value.as_table().is_some()
    }

    /// The value as a table that may have only these fields.
    pub(super) fn fields(&self, allowed: &[&str]) -> Result<Fields<'a>, ParseError> {
        let table = self.value.as_table().ok_or_else(|| self.wrong("a table"))?;
        let fields = Fields { holder: self.clone(), table };
        match table.keys().find(|key| !allowed.contains(&key.get_ref().as_ref())) {
            None => Ok(fields),
            Some(key) => Err(self.source.error(
                &key.span(),
                format!(
                    "{} has no field `{}`{}",
                    self.name,
                    key.get_ref(),
                    suggestion(key.get_ref(), allowed.iter().copied())
                ),
            )),
        }
    }

    /// The value as a table whose keys are the author's (`[group.NAME]`): name, place, value.
    pub(super) fn named(&self, what: &str) -> Result<Vec<(&'a str, Value<'a>)>, ParseError> {
        let table = self.value.as_table().ok_or_else(|| self.wrong("a table"))?;
        let named = table.iter().map(|(key, value)| {
            let mut value = self.inner(value, format!("{what} `{}`", key.get_ref()));
            value.span = key.span();
            (key.get_ref().as_ref(), value)
        });
        Ok(named.collect())
    }

    fn inner(&self, value: &'a Spanned<DeValue<'a>>, name: String) -> Value<'a> {
        Value { source: self.source, span: value.span(), value: value.get_ref(), name }
    }
}

/// The fields of a table that has been checked for unknown ones.
pub(super) struct Fields<'a> {
    holder: Value<'a>,
    table: &'a DeTable<'a>,
}

impl<'a> Fields<'a> {
    /// The fields of the whole document.
    pub(super) fn of_document(
        source: Source<'a>,
        document: &'a DeValue<'a>,
        allowed: &[&str],
    ) -> Result<Self, ParseError> {
        let name = "a topology".to_string();
        Value { source, span: 0..0, value: document, name }.fields(allowed)
    }

    /// A field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        let (_, value) = self.table.iter().find(|(key, _)| key.get_ref() == name)?;
        Some(self.holder.inner(value, format!("field `{name}`")))
    }

    /// A field that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<Value<'a>, ParseError> {
        let missing = || format!("{} lacks the field `{name}`", self.holder.name);
        self.get(name).ok_or_else(|| self.holder.error(missing()))
    }

    /// The members of a list field; none where the field isn't there.
    pub(super) fn list(&self, name: &str) -> Vec<Value<'a>> {
        self.get(name).map(|value| value.members()).unwrap_or_default()
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        other => format!("a {}", other.type_str()),
    }
}

/// `; did you mean `x`?` for the nearest of the known names, else all of them.
pub(super) fn suggestion<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    let all: Vec<&str> = known.clone().collect();
    match did_you_mean(name, known) {
        near if near.is_empty() && !all.is_empty() => format!("; there are: {}", all.join(", ")),
        near => near,
    }
}
