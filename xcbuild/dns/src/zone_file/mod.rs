//! Zones from master files (RFC 1035 section 5), small ones: all of it is in memory.
//!
//! | module | subject |
//! |---|---|
//! | [`lexer`] | entries: logical lines of words |
//! | [`names`], [`data`] | what words mean |
//! | [`zone`] | a zone's records by name, and what they answer |
//!
//! `$ORIGIN` and `$TTL` are understood; `$INCLUDE` and `$GENERATE` are errors, as are zone transfers
//! and DNSSEC: what is signed elsewhere can't be served here.

pub(crate) mod data;
mod lexer;
mod names;
mod zone;

pub(crate) use names::name;
pub(crate) use zone::Zone;

use self::lexer::{Entry, entries};
use crate::place::ParseError;
use crate::wire::{Name, Record, rtype};

/// The records of a master file's text, with the line of each. `origin` is the name of its zone.
pub(crate) fn records(
    file: &str,
    text: &str,
    origin: &Name,
) -> Result<Vec<(usize, Record)>, ParseError> {
    let mut reader = Reader { origin: origin.clone(), ttl: None, owner: None, last_ttl: None };
    let mut records = Vec::new();
    for entry in entries(file, text)? {
        let record = reader.entry(&entry).map_err(|why| entry.place.error(why))?;
        records.extend(record.map(|record| (entry.place.line, record)));
    }
    Ok(records)
}

/// One record, as a line of a master file.
pub(crate) fn record(text: &str, origin: &Name) -> Result<Record, String> {
    let found = records("", text, origin).map_err(|error| error.message)?;
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some((_, record)), None) => Ok(record),
        _ => Err(format!("`{text}` is not one record")),
    }
}

/// What entries leave to those after them.
struct Reader {
    origin: Name,
    /// `$TTL`.
    ttl: Option<u32>,
    owner: Option<Name>,
    last_ttl: Option<u32>,
}

impl Reader {
    /// The record of an entry; `None` for a directive.
    fn entry(&mut self, entry: &Entry) -> Result<Option<Record>, String> {
        let mut words = entry.words.as_slice();
        let Some(first) = words.first() else { return Ok(None) };
        if !entry.indented && first.starts_with('$') {
            return self.directive(first, words.get(1..).unwrap_or_default()).map(|()| None);
        }
        if !entry.indented {
            self.owner = Some(name(first, &self.origin)?);
            words = words.get(1..).unwrap_or_default();
        }
        let owner = self.owner.clone().ok_or("the first record has no name")?;
        let (ttl, rtype, data) = self.head(words)?;
        let data = data::parse(rtype, data, &self.origin)?;
        // A SOA's own default is its last field (RFC 2308 section 4).
        let minimum = match (rtype, data.as_slice()) {
            (rtype::SOA, [.., a, b, c, d]) => Some(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => None,
        };
        let ttl = ttl.or(self.ttl).or(self.last_ttl).or(minimum);
        let ttl = ttl.ok_or("no TTL: give one, or a $TTL before")?;
        self.last_ttl = Some(ttl);
        Ok(Some(Record { name: owner, rtype, ttl, data }))
    }

    /// TTL, type and the words of the data: TTL and class may be there or not, in any order.
    fn head<'a>(&self, words: &'a [String]) -> Result<(Option<u32>, u16, &'a [String]), String> {
        let (mut ttl, mut class) = (None, false);
        for (index, word) in words.iter().enumerate() {
            match word.to_ascii_uppercase().as_str() {
                "IN" if !class => class = true,
                "CH" | "HS" | "CS" => return Err(format!("class {word} is not served")),
                _ => match names::seconds(word).filter(|_| ttl.is_none()) {
                    Some(seconds) => ttl = Some(seconds),
                    None => {
                        let rtype = rtype::parse(word);
                        let rtype = rtype.filter(|rtype| !matches!(rtype, 0 | 41 | 128..=255));
                        let rtype =
                            rtype.ok_or_else(|| format!("`{word}` is not a record type"))?;
                        return Ok((ttl, rtype, words.get(index + 1..).unwrap_or_default()));
                    }
                },
            }
        }
        Err("a record type is expected".to_owned())
    }

    fn directive(&mut self, directive: &str, words: &[String]) -> Result<(), String> {
        match (directive.to_ascii_uppercase().as_str(), words) {
            ("$ORIGIN", [origin]) => self.origin = name(origin, &self.origin)?,
            ("$TTL", [ttl]) => {
                let seconds = names::seconds(ttl);
                self.ttl = Some(seconds.ok_or_else(|| format!("`{ttl}` is not a time"))?);
            }
            ("$ORIGIN" | "$TTL", _) => return Err(format!("{directive} takes one argument")),
            ("$INCLUDE" | "$GENERATE", _) => return Err(format!("{directive} is not supported")),
            _ => return Err(format!("unknown directive {directive}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
