//! `template CLASS TYPE [ZONES...] { match REGEX...; answer|additional|authority RR; rcode CODE;
//! fallthrough [ZONES...] }`.
//!
//! Of Go's templates, what people write: `{{ .Name }}`, `.Zone`, `.Class`, `.Type`, `.Remote`,
//! `.Group.NAME` and `index .Match N`. Anything else is an error here, not when it is used.

use super::{Fallthrough, Plugins, arguments, options, unknown};
use crate::corefile::Pattern;
use crate::corefile::arguments::Arguments;
use crate::corefile::blocks::Directive;
use crate::place::ParseError;
use crate::wire::{Name, rcode, rtype};

/// Answers by pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// `None` for all.
    pub(crate) qtype: Option<u16>,
    /// Those of the block for none.
    pub(crate) zones: Vec<Name>,
    /// All names for none.
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) answers: Vec<Vec<Part>>,
    pub(crate) authorities: Vec<Vec<Part>>,
    pub(crate) additionals: Vec<Vec<Part>>,
    pub(crate) rcode: u16,
    pub(crate) fallthrough: Fallthrough,
}

/// A part of a record's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Name,
    Zone,
    Class,
    Type,
    Remote,
    /// A group of the pattern, by name.
    Group(String),
    /// A group of the pattern, by number.
    Match(usize),
}

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut given = arguments(directive);
    given.need_as("class IN or ANY", |word| {
        matches!(word.to_ascii_uppercase().as_str(), "IN" | "ANY").then_some(())
    })?;
    let qtype = given.need_as("a record type", rtype::parse)?;
    let mut template = Template {
        qtype: (qtype != rtype::ANY).then_some(qtype),
        zones: given.zones()?,
        patterns: Vec::new(),
        answers: Vec::new(),
        authorities: Vec::new(),
        additionals: Vec::new(),
        rcode: rcode::NOERROR,
        fallthrough: Fallthrough::default(),
    };
    for (option, mut arguments) in options(directive) {
        match option {
            "match" => {
                for word in arguments.need_some("a regular expression")? {
                    let pattern = Pattern::parse(word).map_err(|why| arguments.error(&why))?;
                    template.patterns.push(pattern);
                }
            }
            "answer" => template.answers.extend(records(&mut arguments)?),
            "authority" => template.authorities.extend(records(&mut arguments)?),
            "additional" => template.additionals.extend(records(&mut arguments)?),
            "rcode" => template.rcode = arguments.need_as("a response code", rcode::parse)?,
            "fallthrough" => template.fallthrough = Fallthrough::parse(&mut arguments)?,
            "upstream" => while arguments.next().is_some() {},
            "ederror" => return Err(arguments.error("it is not supported by this stand-in")),
            _ => return Err(unknown(directive, option, &arguments)),
        }
        arguments.end()?;
    }
    check_groups(&template).map_err(|why| given.error(&why))?;
    plugins.templates.push(template);
    Ok(())
}

/// The texts of records, each a word of its own in quotes.
fn records(arguments: &mut Arguments<'_>) -> Result<Vec<Vec<Part>>, ParseError> {
    let words = arguments.need_some("a record in quotes")?;
    // Without quotes, a record of a single line is several words.
    let texts = match words.iter().all(|word| word.contains(' ')) {
        true => words.into_iter().map(str::to_owned).collect(),
        false => vec![words.join(" ")],
    };
    texts.iter().map(|text| parts(text).map_err(|why| arguments.error(&why))).collect()
}

/// The parts of a record's text.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, next) = after.split_once("}}").ok_or("a `{{` is not closed")?;
        parts.extend((!before.is_empty()).then(|| Part::Text(before.to_owned())));
        let words: Vec<&str> = action.split_whitespace().collect();
        parts.push(match words.as_slice() {
            [".Name"] | [".Question.Name"] => Part::Name,
            [".Zone"] => Part::Zone,
            [".Class"] => Part::Class,
            [".Type"] => Part::Type,
            [".Remote"] => Part::Remote,
            ["index", ".Match", number] => {
                let number = number.parse();
                Part::Match(number.map_err(|_| format!("`{action}`: a number is expected"))?)
            }
            [word] if word.starts_with(".Group.") => {
                Part::Group(word[".Group.".len()..].to_owned())
            }
            _ => return Err(format!("`{{{{{action}}}}}` is not supported by this stand-in")),
        });
        rest = next;
    }
    parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
    Ok(parts)
}

/// Groups that no pattern has would always be empty.
fn check_groups(template: &Template) -> Result<(), String> {
    let records = [&template.answers, &template.authorities, &template.additionals];
    for part in records.into_iter().flatten().flatten() {
        if let Part::Group(name) = part
            && !template.patterns.iter().any(|pattern| pattern.has_group(name))
        {
            return Err(format!("no pattern has a group `{name}`"));
        }
    }
    Ok(())
}
