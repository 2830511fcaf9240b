//! `log [NAMES...] [FORMAT] { class CLASSES...; minDuration DURATION }` and `errors`.
//!
//! `log stdout`, from before CoreDNS 1.0, means all names, too: queries are logged to stdout anyway.

use std::time::Duration;

use super::{Plugins, arguments, options, unknown};
use crate::corefile::arguments::duration;
use crate::corefile::blocks::Directive;
use crate::place::ParseError;
use crate::wire::Name;

const COMMON: &str = "{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" \
                      {rcode} {>rflags} {rsize} {duration}";
const COMBINED: &str = "{remote}:{port} - {>id} \"{>opcode} {type} {class} {name} {proto} {size} {>do} \
                        {>bufsize}\" {rcode} {>rflags} {rsize} {duration}";

/// What is logged of queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// Below these names; all for none.
    pub(crate) names: Vec<Name>,
    pub(crate) format: Vec<Piece>,
    /// All for none.
    pub(crate) classes: Vec<Class>,
    /// And those that took longer.
    pub(crate) min_duration: Option<Duration>,
}

/// Classes of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Success,
    Denial,
    Error,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Field(Field),
}

/// What a line may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Type,
    Name,
    Class,
    Protocol,
    Remote,
    Port,
    Size,
    Duration,
    Rcode,
    ResponseSize,
    Flags,
    BufferSize,
    DnssecOk,
    Id,
    Opcode,
}

const FIELDS: [(&str, Field); 15] = [
    ("type", Field::Type),
    ("name", Field::Name),
    ("class", Field::Class),
    ("proto", Field::Protocol),
    ("remote", Field::Remote),
    ("port", Field::Port),
    ("size", Field::Size),
    ("duration", Field::Duration),
    ("rcode", Field::Rcode),
    ("rsize", Field::ResponseSize),
    (">rflags", Field::Flags),
    (">bufsize", Field::BufferSize),
    (">do", Field::DnssecOk),
    (">id", Field::Id),
    (">opcode", Field::Opcode),
];

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut arguments = arguments(directive);
    let (mut names, mut text) = (Vec::new(), COMMON);
    while let Some(word) = arguments.next() {
        match word {
            "stdout" => {}
            "{common}" => text = COMMON,
            "{combined}" => text = COMBINED,
            word if word.contains('{') => text = word,
            word => names
                .push(word.parse().map_err(|e: crate::NameError| arguments.error(&e.to_string()))?),
        }
    }
    let format = format(text).map_err(|why| arguments.error(&why))?;
    let (mut classes, mut min_duration) = (Vec::new(), None);
    for (option, mut arguments) in options(directive) {
        match option {
            "class" => {
                for word in arguments.need_some("a class")? {
                    match word {
                        "all" => classes.extend([Class::Success, Class::Denial, Class::Error]),
                        "success" => classes.push(Class::Success),
                        "denial" => classes.push(Class::Denial),
                        "error" => classes.push(Class::Error),
                        _ => return Err(arguments.error(&format!("unknown class `{word}`"))),
                    }
                }
            }
            "minDuration" => min_duration = Some(arguments.need_as("a length of time", duration)?),
            _ => return Err(unknown(directive, option, &arguments)),
        }
        arguments.end()?;
    }
    plugins.log.push(Log { names, format, classes, min_duration });
    Ok(())
}

/// The pieces of a format.
fn format(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, next) = after.split_once('}').ok_or("a `{` of the format is not closed")?;
        pieces.extend((!before.is_empty()).then(|| Piece::Text(before.to_owned())));
        let field = FIELDS.iter().find(|(known, _)| *known == name);
        let (_, field) = field.ok_or_else(|| format!("the format has no `{{{name}}}`"))?;
        pieces.push(Piece::Field(*field));
        rest = next;
    }
    pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
    Ok(pieces)
}

/// `errors { consolidate DURATION REGEX [LEVEL]; stacktrace }`: told once for each server anyway.
pub(super) fn errors(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    plugins.errors = true;
    let mut given = arguments(directive);
    if given.peek() == Some("stdout") {
        given.next();
    }
    given.end()?;
    for (option, mut arguments) in options(directive) {
        match option {
            "consolidate" => {
                arguments.need_as("a length of time", duration)?;
                arguments.need_some("a regular expression")?;
            }
            "stacktrace" => arguments.end()?,
            _ => return Err(unknown(directive, option, &arguments)),
        }
    }
    Ok(())
}
