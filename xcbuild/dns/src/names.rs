//! Names we know ourselves: hosts files (hosts(5)) and a zone of our own.
//!
//! A name that is known is known for all types: what it hasn't (an AAAA for a host with an IPv4
//! address only) doesn't exist, and is not asked upstream, else a spoofed name would leak its true
//! address by another type. So is a name whose address can't be read: it fails. The first name on a
//! line is the one that PTR gives.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::hosts::{self, Entry, Problem};
use crate::wire::{Answer, LocalRecord, Name, Query, rcode, rtype};

/// TTL of our own records: short, since the file may change any time.
const LOCAL_TTL: u32 = 10;

/// The table of names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    addresses: HashMap<Name, Vec<IpAddr>>,
    pointers: HashMap<Name, Vec<Name>>,
    /// Names of a hosts file whose address can't be read: not to be asked for upstream.
    unreadable: HashSet<Name>,
    zone: Option<Name>,
}

impl Names {
    /// An empty table, authoritative for `zone`.
    pub(crate) fn new(zone: Option<Name>) -> Self {
        Self { zone, ..Self::default() }
    }

    /// Adds one name.
    pub(crate) fn add(&mut self, name: Name, address: IpAddr) {
        self.add_alias(name.clone(), address);
        push_new(self.pointers.entry(Name::reverse(address)).or_default(), name);
    }

    /// Adds a name that PTR doesn't give.
    fn add_alias(&mut self, name: Name, address: IpAddr) {
        push_new(self.addresses.entry(name).or_default(), address);
    }

    /// Adds the lines of a hosts file; what could not be read. Bare names are known in our zone as
    /// well, and PTR gives them so.
    pub(crate) fn add_hosts(&mut self, text: &str) -> Vec<Problem> {
        let (entries, problems) = hosts::parse(text);
        entries.into_iter().for_each(|entry| self.add_entry(entry));
        problems
    }

    /// Adds a line of a hosts file.
    pub(crate) fn add_entry(&mut self, entry: Entry) {
        for (index, name) in entry.names.into_iter().enumerate() {
            let zone = self.zone.as_ref().filter(|_| name.is_bare());
            let canonical = zone.and_then(|zone| name.below(zone)).unwrap_or(name.clone());
            match entry.address {
                None => self.unreadable.extend([name, canonical]),
                Some(address) => {
                    self.add_alias(name, address);
                    match index {
                        0 => self.add(canonical, address),
                        _ => self.add_alias(canonical, address),
                    }
                }
            }
        }
    }

    /// How many names have addresses.
    pub(crate) fn len(&self) -> usize {
        self.addresses.len()
    }

    /// The answer, if the name is ours.
    pub(crate) fn answer(&self, query: &Query) -> Option<Answer> {
        self.answer_with(query, LOCAL_TTL)
    }

    /// The same, with another TTL.
    pub(crate) fn answer_with(&self, query: &Query, ttl: u32) -> Option<Answer> {
        let (rcode, records) = self.find(&query.name, query.qtype)?;
        Some(Answer::local(query, rcode, &records, ttl))
    }

    fn find(&self, name: &Name, qtype: u16) -> Option<(u16, Vec<LocalRecord>)> {
        if let Some(addresses) = self.addresses.get(name) {
            let wanted = |address: &&IpAddr| match qtype {
                rtype::A => address.is_ipv4(),
                rtype::AAAA => address.is_ipv6(),
                rtype::ANY => true,
                _ => false,
            };
            let records = addresses.iter().filter(wanted).copied().map(LocalRecord::Address);
            return Some((rcode::NOERROR, records.collect()));
        }
        if let Some(pointers) = self.pointers.get(name) {
            let wanted = matches!(qtype, rtype::PTR | rtype::ANY);
            let pointers = pointers.iter().filter(|_| wanted).cloned().map(LocalRecord::Pointer);
            return Some((rcode::NOERROR, pointers.collect()));
        }
        if self.unreadable.contains(name) {
            return Some((rcode::SERVFAIL, Vec::new()));
        }
        let zone = self.zone.as_ref().filter(|zone| name.is_within(zone))?;
        let code = if name == zone { rcode::NOERROR } else { rcode::NXDOMAIN };
        Some((code, Vec::new()))
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Names {
        let mut names = Names::new(Some("xcluster".parse().unwrap()));
        let problems = names.add_hosts(
            "# comment\n\
             192.168.0.1 vm-001 first # vm-009\n\
             1000::1:192.168.0.1\tvm-001\n\
             192.0.2.7 www.example\n\
             nonsense vm-002\n\
             192.0.2.8 bad..name good.example\n\
             192.0.2.999 vm-003 spoofed.example vm-001\n",
        );
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [5, 6, 7], "{problems:?}");
        names.add("vm-002.xcluster".parse().unwrap(), "192.168.0.2".parse().unwrap());
        names
    }

    #[test]
    fn names_are_answered_by_type() {
        let names = table();
        let vm1_reverse = Name::reverse("192.168.0.1".parse().unwrap()).to_string();
        for (name, qtype, expected) in [
            ("vm-001", rtype::A, "0: 192.168.0.1"),
            ("VM-001.xcluster", rtype::A, "0: 192.168.0.1"),
            ("vm-001.xcluster", rtype::AAAA, "0: 1000::1:c0a8:1"),
            ("vm-001.xcluster", rtype::ANY, "0: 192.168.0.1 1000::1:c0a8:1"),
            ("vm-001.xcluster", 15, "0:"),
            ("first.xcluster", rtype::A, "0: 192.168.0.1"),
            ("vm-002.xcluster", rtype::A, "0: 192.168.0.2"),
            ("vm-009.xcluster", rtype::A, "3:"),
            ("spoofed.example", rtype::A, "2:"),
            ("vm-003", rtype::AAAA, "2:"),
            ("vm-003.xcluster", rtype::A, "2:"),
            ("xcluster", rtype::A, "0:"),
            ("www.example", rtype::A, "0: 192.0.2.7"),
            ("www.example", rtype::AAAA, "0:"),
            ("www.example.xcluster", rtype::A, "3:"),
            ("good.example", rtype::A, "0: 192.0.2.8"),
            (&vm1_reverse, rtype::PTR, "0: vm-001.xcluster."),
            (&vm1_reverse, rtype::A, "0:"),
            ("other.example", rtype::A, "forward"),
            ("9.9.168.192.in-addr.arpa", rtype::PTR, "forward"),
        ] {
            let found = names.find(&name.parse().unwrap(), qtype).map_or_else(
                || "forward".to_string(),
                |(rcode, records)| {
                    records.iter().fold(format!("{rcode}:"), |text, record| match record {
                        LocalRecord::Address(address) => format!("{text} {address}"),
                        LocalRecord::Pointer(name) => format!("{text} {name}"),
                        LocalRecord::Text(string) => format!("{text} {string}"),
                    })
                },
            );
            assert_eq!(found, expected, "{name} {qtype}");
        }
    }
}
