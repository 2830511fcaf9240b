//! The plugin `template`: records made of the question.

use std::net::IpAddr;

use super::site::Step;
use crate::corefile::plugins::{Part, Template};
use crate::wire::{Answer, Name, Query, Record, Sections, rcode, rtype};
use crate::zone_file;

/// What a template's parts are taken from.
struct Question<'a> {
    name: String,
    zone: String,
    qtype: u16,
    client: IpAddr,
    groups: Option<regex_lite::Captures<'a>>,
}

/// What becomes of a query at this template; a record that can't be made is an error.
pub(super) fn answer(
    template: &Template,
    block_zones: &[Name],
    query: &Query,
    client: IpAddr,
) -> Result<Step, String> {
    if template.qtype.is_some_and(|qtype| qtype != query.qtype) {
        return Ok(Step::Next);
    }
    let zones = if template.zones.is_empty() { block_zones } else { &template.zones };
    let within = zones.iter().filter(|zone| query.name.is_within(zone));
    let Some(zone) = within.max_by_key(|zone| zone.label_count()) else {
        return Ok(Step::Next);
    };
    let name = query.name.to_string();
    let groups = template.patterns.iter().find_map(|pattern| pattern.captures(&name));
    if groups.is_none() && !template.patterns.is_empty() {
        return Ok(match template.fallthrough.takes(&query.name) {
            true => Step::Next,
            false => Step::answer(Answer::error(query, rcode::SERVFAIL)),
        });
    }
    let (name, zone, qtype) = (name.clone(), zone.to_string(), query.qtype);
    let question = Question { name, zone, qtype, client, groups };
    let records = |texts: &[Vec<Part>]| -> Result<Vec<Record>, String> {
        texts.iter().map(|parts| record(parts, &question)).collect()
    };
    let sections = Sections {
        answers: records(&template.answers)?,
        authorities: records(&template.authorities)?,
        additionals: records(&template.additionals)?,
    };
    Ok(Step::answer(Answer::compose(query, template.rcode, true, &sections)))
}

fn record(parts: &[Part], question: &Question<'_>) -> Result<Record, String> {
    let group = |found: Option<regex_lite::Match<'_>>| {
        found.map(|found| found.as_str().to_owned()).unwrap_or_default()
    };
    let groups = question.groups.as_ref();
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Name => question.name.clone(),
            Part::Zone => question.zone.clone(),
            Part::Class => "IN".to_owned(),
            Part::Type => rtype::name(question.qtype).into_owned(),
            Part::Remote => question.client.to_string(),
            Part::Group(name) => group(groups.and_then(|groups| groups.name(name))),
            Part::Match(index) => group(groups.and_then(|groups| groups.get(*index))),
        })
        .collect();
    zone_file::record(&text, &Name::root()).map_err(|why| format!("plugin/template: {why}"))
}
