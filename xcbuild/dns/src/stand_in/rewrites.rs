//! The plugin `rewrite`: what is asked in place of the client's question.

use std::rc::Rc;

use crate::chain::Change;
use crate::corefile::plugins::{Rewrite, Rule};
use crate::wire::{Name, Query};

/// What the rules make of a query; `None` if none is for it.
pub(super) fn change(rules: &[Rewrite], query: &Query) -> Option<Change> {
    let (mut name, mut qtype) = (query.name.clone(), query.qtype);
    let (mut ttl, mut matched) = (None, false);
    for Rewrite { rule, goes_on } in rules {
        let applies = match rule {
            Rule::Name(matching, to) => match matching.replace(&name, to) {
                Some(new) => {
                    name = new;
                    true
                }
                None => false,
            },
            Rule::Type(from, to) if qtype == *from => {
                qtype = *to;
                true
            }
            Rule::Type(..) => false,
            Rule::Ttl(matching, seconds) => {
                let applies = matching.matches(&name);
                ttl = if applies { Some(*seconds) } else { ttl };
                applies
            }
        };
        matched |= applies;
        if applies && !goes_on {
            break;
        }
    }
    matched.then(|| {
        let names: Vec<(Name, Name)> = match name == query.name {
            true => Vec::new(),
            false => vec![(name.clone(), query.name.clone())],
        };
        let query = (!names.is_empty() || qtype != query.qtype)
            .then(|| Rc::new(query.with_question(&name, qtype)));
        Change { query, names, ttl }
    })
}
