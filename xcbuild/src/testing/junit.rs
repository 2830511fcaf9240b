//! What came of tests as JUnit XML, which CI systems show. Pure.
//!
//! There is no standard; what is written is what the readers agree on: the schema of Jenkins' xUnit
//! plugin (`junit-10.xsd`), of which GitLab's and others' are subsets. A suite is an overlay on a
//! cluster, a test case is a case on a node: `classname` the overlay, `name` the case and the node.
//!
//! By hand on purpose: `quick-junit` brings nine packages more, writes `disabled` where that schema
//! has `skipped`, drops tabs and control characters, and leaves line ends in attributes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use super::{Outcome, Sum, Verdict};

/// How much of a case's output goes in, in bytes, from its end.
const OUTPUT_MAX: usize = 64 * 1024;

/// The cases of an overlay, on a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Suite {
    /// The overlay.
    pub name: String,
    /// When its first case began, in seconds since 1970.
    pub began: u64,
    /// What is good to know about the cluster: names and values.
    pub properties: Vec<(String, String)>,
    /// What became of its cases.
    pub outcomes: Vec<Outcome>,
}

/// The whole file.
pub(crate) fn xml(suites: &[Suite]) -> String {
    let all = suites.iter().flat_map(|s| &s.outcomes);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // The schema knows no `skipped` of all suites together.
    let (tests, time, _) = counts(all);
    text += &format!("<testsuites name=\"xcbuild\" {tests} {time}>\n");
    suites.iter().for_each(|suite| push_suite(&mut text, suite));
    text + "</testsuites>\n"
}

fn push_suite(text: &mut String, suite: &Suite) {
    let (name, time) = (attribute(&suite.name), timestamp(suite.began));
    // Writing to a String can't fail, here and below.
    let (tests, took, skipped) = counts(&suite.outcomes);
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" timestamp=\"{time}\" {tests} {skipped} {took}>"
    );
    text.push_str("    <properties>\n");
    for (name, value) in &suite.properties {
        let (name, value) = (attribute(name), attribute(value));
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{value}\"/>");
    }
    text.push_str("    </properties>\n");
    suite.outcomes.iter().for_each(|outcome| push_case(text, outcome));
    text.push_str("  </testsuite>\n");
}

fn push_case(text: &mut String, outcome: &Outcome) {
    let node = outcome.node.map_or(String::new(), |node| format!(" [{node}]"));
    let name = attribute(&format!("{}{node}", outcome.case));
    let (class, time) = (attribute(&outcome.overlay), seconds(outcome.took));
    let _ = writeln!(text, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\">");
    let element = match &outcome.verdict {
        Verdict::Passed => None,
        Verdict::Failed(_) => Some("failure"),
        Verdict::Skipped(_) => Some("skipped"),
        Verdict::Error(_) => Some("error"),
    };
    if let Some(element) = element {
        let reason = outcome.verdict.reason();
        // A skipped case has no type.
        let kind =
            if element == "skipped" { String::new() } else { format!(" type=\"{element}\"") };
        let (message, body) =
            (attribute(reason.lines().next().unwrap_or_default()), content(reason));
        let _ = writeln!(text, "      <{element}{kind} message=\"{message}\">{body}</{element}>");
    }
    if !outcome.output.is_empty() {
        let output = content(&end_of(&outcome.output));
        let _ = writeln!(text, "      <system-out>{output}</system-out>");
    }
    text.push_str("    </testcase>\n");
}

/// Attributes: how many tests, failures and errors; how long; how many were skipped.
fn counts<'a>(outcomes: impl IntoIterator<Item = &'a Outcome> + Clone) -> (String, String, String) {
    let sum = Sum::of(outcomes.clone());
    let time = seconds(outcomes.into_iter().map(|o| o.took).sum());
    let Sum { failed, errors, skipped, .. } = sum;
    let tests = format!("tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\"", sum.all());
    (tests, format!("time=\"{time}\""), format!("skipped=\"{skipped}\""))
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// A text, or where it is too long its end, from the start of a line, after a line that says how much is
/// missing.
fn end_of(text: &str) -> Cow<'_, str> {
    let Some(from) = text.len().checked_sub(OUTPUT_MAX).filter(|from| *from > 0) else {
        return text.into();
    };
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = text[from..].split_once('\n').map_or(&text[from..], |(_, rest)| rest);
    let (cut, all) = (text.len() - end.len(), text.len());
    format!("[... the first {cut} of {all} bytes are cut ...]\n{end}").into()
}

/// Text between tags: what XML 1.0 can't have at all (section 2.2) is shown by its number.
fn content(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => done.push_str("&amp;"),
            '<' => done.push_str("&lt;"),
            '>' => done.push_str("&gt;"),
            '\n' | '\t' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
                done.push(c)
            }
            // A reader would make a line end of it, and before one it says nothing.
            '\r' => {}
            other => {
                let _ = write!(done, "\\x{:02x}", u32::from(other));
            }
        }
    }
    done
}

/// Text in an attribute, where a reader would make line ends and tabs to spaces.
fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

/// Seconds since 1970 as ISO 8601 in UTC, without a zone, as the schema wants it.
fn timestamp(epoch: u64) -> String {
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(epoch));
    text.to_string().trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{OUTPUT_MAX, Suite, content, end_of, timestamp, xml};
    use crate::testing::{Outcome, Verdict};
    use xc_topology::address::NodeId;

    #[test]
    fn times_are_those_of_date() {
        // Judged by `date -u -d @N +%FT%T`.
        for (epoch, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_767_225_599, "2025-12-31T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(timestamp(epoch), text);
        }
    }

    #[test]
    fn what_xml_cannot_have_is_shown_otherwise() {
        assert_eq!(content("a<b>&c\r\n\x1b[1m\u{fffe}"), "a&lt;b&gt;&amp;c\n\\x1b[1m\\xfffe");
        let long = format!("{}\nlast\n", "ä".repeat(OUTPUT_MAX));
        let cut = 2 * OUTPUT_MAX + 1;
        let mark = format!("[... the first {cut} of {} bytes are cut ...]\n", cut + 5);
        assert_eq!(end_of(&long), format!("{mark}last\n"));
        let whole = "a".repeat(OUTPUT_MAX);
        assert_eq!(end_of(&whole), whole, "what fits is not marked");
        let line = "a".repeat(OUTPUT_MAX + 7);
        let shown = end_of(&line);
        let rest = shown.strip_prefix("[... the first 7 of 65543 bytes are cut ...]\n").unwrap();
        assert_eq!(rest.len(), OUTPUT_MAX, "a line without an end is cut where it has to be");
    }

    #[test]
    fn every_verdict_has_its_element() {
        let outcome = |case: &str, verdict, output: &str| Outcome {
            overlay: "hello".into(),
            case: case.into(),
            node: NodeId::new(1),
            verdict,
            took: Duration::from_millis(1500),
            output: output.into(),
        };
        let lost = Verdict::Error("the cluster did not come up".into());
        let suite = Suite {
            name: "hello".into(),
            began: 0,
            properties: vec![("topology".into(), "xnet".into())],
            outcomes: vec![
                outcome("works", Verdict::Passed, "<ok>\n"),
                outcome("is \"quoted\"", Verdict::Failed("exit code 1, not 0".into()), ""),
                outcome("may", Verdict::Skipped("no IPVS here".into()), ""),
                Outcome::without_run("hello", "dies", None, lost),
            ],
        };
        insta::assert_snapshot!(xml(&[suite]), @r#"
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="xcbuild" tests="4" failures="1" errors="1" time="4.500">
  <testsuite name="hello" timestamp="1970-01-01T00:00:00" tests="4" failures="1" errors="1" skipped="1" time="4.500">
    <properties>
      <property name="topology" value="xnet"/>
    </properties>
    <testcase classname="hello" name="works [vm-001]" time="1.500">
      <system-out>&lt;ok&gt;
</system-out>
    </testcase>
    <testcase classname="hello" name="is &quot;quoted&quot; [vm-001]" time="1.500">
      <failure type="failure" message="exit code 1, not 0">exit code 1, not 0</failure>
    </testcase>
    <testcase classname="hello" name="may [vm-001]" time="1.500">
      <skipped message="no IPVS here">no IPVS here</skipped>
    </testcase>
    <testcase classname="hello" name="dies" time="0.000">
      <error type="error" message="the cluster did not come up">the cluster did not come up</error>
    </testcase>
  </testsuite>
</testsuites>
"#);
    }
}
