//! Is all of a trace still so?

use rayon::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use super::finish::loader_answers;
use super::found::{Stamp, nanoseconds};
use super::input::{HELPERS, Input, State, Trace};
use super::run_context::{RunContext, machine};
use crate::reason::{Change, How};

/// What a comparison found.
pub(super) struct Compared {
    /// What is no longer so.
    pub changes: Vec<Change>,
    /// Stamps as they are now, where they can be trusted.
    pub stamps: Vec<Option<Stamp>>,
}

/// The time that file systems stamp with at least.
pub fn file_time() -> i64 {
    let time = clock_gettime(ClockId::RealtimeCoarse);
    nanoseconds(time.tv_sec, time.tv_nsec)
}

/// The time that file systems stamp with at most.
pub fn exact_time() -> i64 {
    let time = clock_gettime(ClockId::Realtime);
    nanoseconds(time.tv_sec, time.tv_nsec)
}

/// Compares a trace with the machine as it is.
pub(super) fn compare(trace: &Trace, stamps: &[Option<Stamp>], context: &RunContext) -> Compared {
    let mut changes = tools(trace);
    changes.extend(variables(trace, context));
    let now = file_time();
    let known = |at: usize| stamps.get(at).and_then(Option::as_ref);
    let one = |(at, input): (usize, &Input)| input_now(input, known(at), context, now);
    let inputs: Vec<_> = trace.inputs.par_iter().enumerate().with_min_len(64).map(one).collect();
    let mut stamps = Vec::with_capacity(inputs.len());
    for (change, stamp) in inputs {
        changes.extend(change);
        stamps.push(stamp);
    }
    if trace.machine.as_ref().is_some_and(|m| *m != machine()) {
        changes
            .push(Change { what: "the machine's name or kernel".into(), how: How::Changed(None) });
    }
    if trace.loader.is_some_and(|digest| digest != loader_answers(trace)) {
        let what = "what /etc/ld.so.cache says of its libraries".into();
        changes.push(Change { what, how: How::Changed(None) });
    }
    Compared { changes, stamps }
}

fn tools(trace: &Trace) -> Vec<Change> {
    let ours = Trace::of_this_tool().tool;
    let helpers = trace.helpers.filter(|version| *version != HELPERS);
    let tool = (trace.tool != ours).then(|| (trace.tool.clone(), ours));
    let helpers =
        helpers.map(|version| (format!("helpers {version}"), format!("helpers {HELPERS}")));
    let change = |pair| Change { what: "made by".into(), how: How::Changed(Some(pair)) };
    tool.into_iter().chain(helpers).map(change).collect()
}

fn variables(trace: &Trace, context: &RunContext) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut one = |what: String, old: Option<&str>, new: Option<&str>| {
        if old != new {
            let text = |v: Option<&str>| v.map_or_else(|| "unset".to_owned(), ToOwned::to_owned);
            changes.push(Change { what, how: How::Changed(Some((text(old), text(new)))) });
        }
    };
    for (name, old) in &trace.variables {
        one(format!("variable {name}"), old.as_deref(), context.variable(name).as_deref());
    }
    for name in context.names().filter(|n| trace.all_variables && !trace.variables.contains_key(*n))
    {
        one(format!("variable {name}"), None, context.variable(name).as_deref());
    }
    for (name, old) in &trace.shown {
        one(format!("place {name}"), Some(old), context.shown(name).as_deref());
    }
    changes
}

fn input_now(
    input: &Input,
    known: Option<&Stamp>,
    context: &RunContext,
    now: i64,
) -> (Option<Change>, Option<Stamp>) {
    let (state, stamp) = match context.roots.path(&input.path) {
        Some(path) => input.state.now(&path, known, &context.roots),
        None => (State::Missing, None),
    };
    // One of this very moment may be that of a later change, too; those of /proc always are.
    let keeps = !input.path.starts_with("/proc/")
        && matches!(state, State::Content { .. } | State::Listing { .. });
    let stamp = stamp.filter(|s| keeps && s.changed < now);
    let change = (state != input.state).then(|| change(input, &state, context));
    (change, stamp)
}

fn change(input: &Input, now: &State, context: &RunContext) -> Change {
    let what = context.label(&input.path);
    let text = |mode: &u32| format!("mode {mode:04o}");
    let (what, how) = match (&input.state, now) {
        (State::Missing, _) => (what, How::Appeared),
        (_, State::Missing) => (what, How::Gone),
        (State::Listing { count: old, .. }, State::Listing { count: new, .. }) => {
            let (entries, how) = match old.cmp(new) {
                std::cmp::Ordering::Less => ("an entry", How::Appeared),
                std::cmp::Ordering::Greater => ("an entry", How::Gone),
                std::cmp::Ordering::Equal => ("its entries", How::Changed(None)),
            };
            (format!("directory {what}: {entries}"), how)
        }
        (State::Link(old), State::Link(new)) => {
            (format!("link {what}"), How::Changed(Some((old.clone(), new.clone()))))
        }
        (
            State::File { mode: old, .. }
            | State::Content { mode: old, .. }
            | State::Directory { mode: old, .. },
            State::File { mode: new, .. }
            | State::Content { mode: new, .. }
            | State::Directory { mode: new, .. },
        ) if old != new => (what, How::Changed(Some((text(old), text(new))))),
        _ => (what, How::Changed(None)),
    };
    Change { what, how }
}

#[cfg(test)]
mod tests {
    use super::super::input::{HELPERS, Trace};
    use super::super::run_context::{RunContext, machine};
    use super::compare;
    use crate::Params;
    use crate::reason::Reason;
    use xc_report::Reporter;
    use xc_store::key::Digest;
    use xc_store::store::Store;

    /// What no test can change on the machine is changed in the trace.
    #[test]
    fn what_a_trace_says_of_the_tool_and_the_machine_is_compared() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let variables = [("USER", "ann"), ("__a", "1")].map(|(n, v)| (n.into(), v.into()));
        let params = Params { script_environment: variables.into(), ..Params::default() };
        let context = RunContext::of(dir.path(), &params, &store);
        let pair = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        let right = Trace::of_this_tool();
        let tool = right.tool.clone();
        let rows = [
            (right.clone(), String::new()),
            (Trace { helpers: Some(HELPERS), ..right.clone() }, String::new()),
            (
                Trace { helpers: Some(0), ..right.clone() },
                format!("made by helpers 0 -> helpers {HELPERS}"),
            ),
            (Trace { tool: "old".into(), ..right.clone() }, format!("made by old -> {tool}")),
            (Trace { machine: Some(machine()), ..right.clone() }, String::new()),
            (
                Trace { machine: Some("Linux other".into()), ..right.clone() },
                "the machine's name or kernel changed".into(),
            ),
            (
                Trace { loader: Some(Digest::of(b"other")), ..right.clone() },
                "what /etc/ld.so.cache says of its libraries changed".into(),
            ),
            (Trace { shown: pair("USER", "ann"), ..right.clone() }, String::new()),
            (Trace { shown: pair("USER", "bob"), ..right.clone() }, "place USER bob -> ann".into()),
            (
                Trace { all_variables: true, ..right },
                "variable PATH unset -> , variable USER unset -> $USER, variable __a unset -> 1"
                    .into(),
            ),
        ];
        for (trace, expected) in rows {
            let compared = compare(&trace, &[], &context);
            let reported = match compared.changes.is_empty() {
                true => String::new(),
                false => Reason::Changed(compared.changes).to_string(),
            };
            assert_eq!(reported, expected);
        }
    }
}
