//! A zone's records by name, and the answers they give (RFC 1034 section 4.3.2, wildcards by RFC 4592).

use std::collections::BTreeMap;

use crate::place::{ParseError, Place};
use crate::wire::{Answer, Name, Query, Record, Sections, rcode, rtype};

/// Aliases followed within the zone.
const MAX_ALIASES: usize = 8;

/// A zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    origin: Name,
    soa: Record,
    /// Every name that exists: also those that only have names below them.
    names: BTreeMap<Name, Vec<Record>>,
}

/// Where a name leads.
enum Found<'a> {
    Records(&'a [Record]),
    /// These of the wildcard that stands for it.
    Wildcard(&'a [Record]),
    /// Another server's: its NS records.
    Delegation(&'a [Record]),
    Nothing,
}

impl Zone {
    /// The zone `origin` in a master file's text.
    pub(crate) fn parse(file: &str, text: &str, origin: &Name) -> Result<Self, ParseError> {
        let place = |line| Place { file: file.into(), line };
        let mut names: BTreeMap<Name, Vec<Record>> = BTreeMap::new();
        let mut soa = None;
        for (line, record) in super::records(file, text, origin)? {
            let error = |why: &str| Err(place(line).error(format!("{} {why}", record.name)));
            if !record.name.is_within(origin) {
                return error(&format!("is outside of the zone {origin}"));
            }
            if record.rtype == rtype::SOA {
                if record.name != *origin || soa.is_some() {
                    return error("can't have a SOA record: the zone has one, at its origin");
                }
                soa = Some(record.clone());
            }
            let others = names.entry(record.name.clone()).or_default();
            let alias = |record: &Record| record.rtype == rtype::CNAME;
            if !others.is_empty() && (alias(&record) || others.iter().any(alias)) {
                return error("is an alias (CNAME) and can't have other records");
            }
            if !others.contains(&record) {
                others.push(record);
            }
        }
        let missing = || place(1).error(format!("no SOA record for the zone {origin}"));
        let soa = soa.ok_or_else(missing)?;
        for name in names.keys().cloned().collect::<Vec<_>>() {
            for count in 1..name.label_count() {
                let parent = name.without_labels(count).filter(|parent| parent.is_within(origin));
                let Some(parent) = parent else { break };
                names.entry(parent).or_default();
            }
        }
        Ok(Self { origin: origin.clone(), soa, names })
    }

    /// How many names have records.
    pub(crate) fn len(&self) -> usize {
        self.names.values().filter(|records| !records.is_empty()).count()
    }

    /// The answer to a query for a name of the zone.
    pub(crate) fn answer(&self, query: &Query) -> Answer {
        let mut sections = Sections::default();
        let mut name = query.name.clone();
        let (code, authoritative) = loop {
            let (records, wildcard) = match self.find(&name) {
                Found::Records(records) => (records, false),
                Found::Wildcard(records) => (records, true),
                Found::Delegation(servers) => {
                    sections.authorities = servers.to_vec();
                    sections.additionals = self.addresses_of(servers);
                    break (rcode::NOERROR, !sections.answers.is_empty());
                }
                Found::Nothing => {
                    sections.authorities = vec![self.negative_soa()];
                    break (rcode::NXDOMAIN, true);
                }
            };
            let owned = |record: &Record| match wildcard {
                true => Record { name: name.clone(), ..record.clone() },
                false => record.clone(),
            };
            let wanted =
                |record: &&Record| query.qtype == record.rtype || query.qtype == rtype::ANY;
            let matching: Vec<Record> = records.iter().filter(wanted).map(owned).collect();
            let alias = records.iter().find(|record| record.rtype == rtype::CNAME);
            match alias.filter(|_| matching.is_empty()) {
                Some(alias) if sections.answers.len() < MAX_ALIASES => {
                    sections.answers.push(owned(alias));
                    name = Name::from_wire(alias.data.clone());
                    if !name.is_within(&self.origin) {
                        break (rcode::NOERROR, true);
                    }
                }
                Some(_) => break (rcode::NOERROR, true),
                None if matching.is_empty() => {
                    sections.authorities = vec![self.negative_soa()];
                    break (rcode::NOERROR, true);
                }
                None => {
                    sections.additionals = self.addresses_of(&matching);
                    sections.answers.extend(matching);
                    break (rcode::NOERROR, true);
                }
            }
        };
        Answer::compose(query, code, authoritative, &sections)
    }

    fn find(&self, name: &Name) -> Found<'_> {
        let depth = name.label_count() - self.origin.label_count();
        // From just below the origin down: a delegation covers all that is below it.
        for above in (0..depth).rev() {
            let ancestor = name.without_labels(above).and_then(|name| self.names.get(&name));
            let servers = |records: &[Record]| records.iter().any(|r| r.rtype == rtype::NS);
            if let Some(records) = ancestor.filter(|records| servers(records)) {
                let first = records.iter().position(|record| record.rtype == rtype::NS);
                return Found::Delegation(&records[first.unwrap_or_default()..]);
            }
        }
        if let Some(records) = self.names.get(name) {
            return Found::Records(records);
        }
        // The closest ancestor that exists is the only one whose wildcard counts.
        let closest = (1..=depth).find_map(|above| {
            let name = name.without_labels(above)?;
            self.names.contains_key(&name).then_some(name)
        });
        let wildcard = closest.and_then(|closest| Name::wildcard_of(&closest));
        match wildcard.and_then(|wildcard| self.names.get(&wildcard)) {
            Some(records) => Found::Wildcard(records),
            None => Found::Nothing,
        }
    }

    /// The SOA record with the TTL that a negative answer may be kept (RFC 2308 section 3).
    fn negative_soa(&self) -> Record {
        let minimum = match *self.soa.data.as_slice() {
            [.., a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        };
        Record { ttl: self.soa.ttl.min(minimum), ..self.soa.clone() }
    }

    /// The addresses of names that records lead to, as far as they are in the zone.
    fn addresses_of(&self, records: &[Record]) -> Vec<Record> {
        let target = |record: &Record| match (record.rtype, record.data.as_slice()) {
            (rtype::NS, name) => Some(name.to_vec()),
            (rtype::MX, [_, _, name @ ..]) => Some(name.to_vec()),
            (rtype::SRV, [_, _, _, _, _, _, name @ ..]) => Some(name.to_vec()),
            _ => None,
        };
        let targets = records.iter().filter_map(target).map(Name::from_wire);
        let found = targets.filter_map(|name| self.names.get(&name)).flatten();
        found.filter(|r| matches!(r.rtype, rtype::A | rtype::AAAA)).cloned().collect()
    }
}
