//! `rewrite [continue|stop] name [exact|prefix|suffix|substring|regex] FROM TO [answer ...]`,
//! `rewrite [continue|stop] type FROM TO`, `rewrite [continue|stop] ttl [MATCHING] NAME SECONDS`; also
//! with the rule in braces.
//!
//! Answers always have the name that was asked for, as `answer auto` has it: resolvers take no others.
//! Rules for answers by an expression of their own are checked and do nothing beyond that.

use super::{Plugins, arguments, unknown};
use crate::corefile::Pattern;
use crate::corefile::arguments::Arguments;
use crate::corefile::blocks::Directive;
use crate::place::ParseError;
use crate::wire::{Name, rtype};

/// A rule, and whether those after it are tried as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewrite {
    pub(crate) rule: Rule,
    pub(crate) goes_on: bool,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The name asked for.
    Name(Matching, String),
    /// The type asked for.
    Type(u16, u16),
    /// The TTLs of the answer.
    Ttl(Matching, u32),
}

/// Which names a rule is for. Texts are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Matching {
    Exact(Name),
    Prefix(String),
    Suffix(String),
    Substring(String),
    Regex(Pattern),
}

impl Matching {
    /// Takes `[exact|prefix|...] FROM`.
    fn parse(arguments: &mut Arguments<'_>) -> Result<Self, ParseError> {
        let first = arguments.need("a name")?;
        let kinds = ["exact", "prefix", "suffix", "substring", "regex"];
        let (kind, from) = match kinds.contains(&first) {
            true => (first, arguments.need("a name")?),
            false => ("exact", first),
        };
        let text = from.to_ascii_lowercase();
        Ok(match kind {
            "prefix" => Self::Prefix(text),
            // Names end with a dot, which people leave out.
            "suffix" => Self::Suffix(with_dot(&text)),
            "substring" => Self::Substring(text),
            "regex" => Self::Regex(Pattern::parse(from).map_err(|why| arguments.error(&why))?),
            _ => {
                let name = from.parse::<Name>();
                Self::Exact(name.map_err(|error| arguments.error(&error.to_string()))?)
            }
        })
    }

    /// Whether the rule is for this name.
    pub(crate) fn matches(&self, name: &Name) -> bool {
        let text = || name.to_string();
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => text().starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text().ends_with(suffix.as_str()),
            Self::Substring(part) => text().contains(part.as_str()),
            Self::Regex(pattern) => pattern.captures(&text()).is_some(),
        }
    }

    /// The name that `name` becomes, if the rule is for it. `{0}`, `{1}` in `to` are groups.
    pub(crate) fn replace(&self, name: &Name, to: &str) -> Option<Name> {
        let text = name.to_string();
        let replaced = match self {
            Self::Exact(exact) => (name == exact).then(|| to.to_owned())?,
            Self::Prefix(prefix) => format!("{to}{}", text.strip_prefix(prefix.as_str())?),
            Self::Suffix(suffix) => format!("{}{to}", text.strip_suffix(suffix.as_str())?),
            Self::Substring(part) if text.contains(part.as_str()) => {
                text.replace(part.as_str(), to)
            }
            Self::Substring(_) => return None,
            Self::Regex(pattern) => {
                let groups = pattern.captures(&text)?;
                let groups = groups.iter().map(|group| group.map_or("", |group| group.as_str()));
                let groups = groups.enumerate();
                groups.fold(to.to_owned(), |to, (index, group)| {
                    to.replace(&format!("{{{index}}}"), group)
                })
            }
        };
        crate::zone_file::name(&with_dot(&replaced), &Name::root()).ok()
    }
}

fn with_dot(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

pub(super) fn parse(plugins: &mut Plugins, directive: &Directive) -> Result<(), ParseError> {
    let mut given = arguments(directive);
    let goes_on = given.peek() == Some("continue");
    if matches!(given.peek(), Some("continue" | "stop")) {
        given.next();
    }
    let mut rules = Vec::new();
    if given.peek().is_some() {
        rules.push(rule(&mut given)?);
    }
    for line in &directive.options {
        let Some(first) = line.first() else { continue };
        let mut arguments = Arguments::new("rewrite".to_owned(), &first.place, line);
        match first.text.as_str() {
            "answer" if !rules.is_empty() => answer(&mut arguments)?,
            "name" | "type" | "ttl" | "class" | "edns0" | "rcode" | "cname" => {
                rules.push(rule(&mut arguments)?);
            }
            other => return Err(unknown(directive, other, &arguments)),
        }
    }
    match <[Rule; 1]>::try_from(rules) {
        Ok([rule]) => plugins.rewrites.push(Rewrite { rule, goes_on }),
        Err(_) => return Err(given.error("one rule is expected")),
    }
    Ok(())
}

fn rule(arguments: &mut Arguments<'_>) -> Result<Rule, ParseError> {
    let field = arguments.need("name, type or ttl")?;
    let rule = match field {
        "name" => {
            let matching = Matching::parse(arguments)?;
            let to = arguments.need("the name that it becomes")?.to_ascii_lowercase();
            let to = if matches!(matching, Matching::Suffix(_)) { with_dot(&to) } else { to };
            if matches!(matching, Matching::Exact(_)) && to.parse::<Name>().is_err() {
                return Err(arguments.error(&format!("`{to}` is not a name")));
            }
            if arguments.peek() == Some("answer") {
                answer(arguments)?;
            }
            Rule::Name(matching, to)
        }
        "type" => Rule::Type(
            arguments.need_as("a record type", rtype::parse)?,
            arguments.need_as("a record type", rtype::parse)?,
        ),
        "ttl" => {
            let matching = Matching::parse(arguments)?;
            Rule::Ttl(matching, arguments.need_as("a TTL in seconds", |word| word.parse().ok())?)
        }
        "class" | "edns0" | "rcode" | "cname" => {
            return Err(arguments.error(&format!("{field} is not supported by this stand-in")));
        }
        other => return Err(arguments.error(&format!("`{other}`: name, type or ttl is expected"))),
    };
    arguments.end()?;
    Ok(rule)
}

/// `answer auto`, or `answer name|value [MATCHING] FROM TO`: checked only.
fn answer(arguments: &mut Arguments<'_>) -> Result<(), ParseError> {
    arguments.next();
    match arguments.need("auto or name")? {
        "auto" => {}
        "name" => {
            Pattern::parse(arguments.need("a regular expression")?)
                .map_err(|why| arguments.error(&why))?;
            arguments.need("the name that it becomes")?;
        }
        other => {
            return Err(
                arguments.error(&format!("answer {other} is not supported by this stand-in"))
            );
        }
    }
    arguments.end()
}
