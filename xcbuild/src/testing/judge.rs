//! Whether what a command did is what its case expects. Pure.

use super::Verdict;
use xc_overlay::manifest::test::Case;

/// By this exit code a test says that it can't be done here, as automake has it.
const SKIP: i32 = 77;
/// By this one ssh says that the node could not be reached.
const SSH: i32 = 255;

/// Judges one try: the command's exit code (none if a signal ended it) and its output.
pub(super) fn judge(case: &Case, code: Option<i32>, output: &str) -> Verdict {
    let Some(code) = code else { return Verdict::Failed("a signal ended it".into()) };
    let expected = i32::from(case.exit);
    if code == SKIP && expected != SKIP {
        return Verdict::Skipped(last_line(output).unwrap_or("it says so by exit code 77").into());
    }
    if code != expected {
        let ssh =
            if code == SSH { ", by which ssh also says that it can't reach the node" } else { "" };
        return Verdict::Failed(format!("exit code {code}, not {expected}{ssh}"));
    }
    let missing = case.contains.0.iter().find(|text| !output.contains(text.as_str()));
    if let Some(text) = missing {
        return Verdict::Failed(format!("its output does not contain `{text}`"));
    }
    if let Some(text) = case.lacks.0.iter().find(|text| output.contains(text.as_str())) {
        return Verdict::Failed(format!("its output contains `{text}`"));
    }
    match &case.matches {
        Some(pattern) if !pattern.0.is_match(output) => {
            Verdict::Failed(format!("nothing in its output matches `{}`", pattern.0))
        }
        _ => Verdict::Passed,
    }
}

fn last_line(output: &str) -> Option<&str> {
    output.lines().map(str::trim).rfind(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::testing::Verdict;
    use xc_overlay::manifest::parse;

    fn judged(fields: &str, code: Option<i32>, output: &str) -> Verdict {
        let text = format!("description = 'x'\n[[test.case]]\nname = 'a'\nrun = 'x'\n{fields}");
        let test = parse("ovl.toml", &text).unwrap().test.unwrap().into_inner();
        judge(&test.all()[0], code, output)
    }

    #[test]
    fn all_that_is_expected_has_to_hold() {
        let failed = |reason: &str| Verdict::Failed(reason.into());
        let skipped = |reason: &str| Verdict::Skipped(reason.into());
        let rows = [
            ("", Some(0), "", Verdict::Passed),
            ("", Some(3), "", failed("exit code 3, not 0")),
            ("exit = 3", Some(3), "", Verdict::Passed),
            ("exit = 3", Some(0), "", failed("exit code 0, not 3")),
            ("", None, "", failed("a signal ended it")),
            ("", Some(77), "a\nno IPVS here\n\n", skipped("no IPVS here")),
            ("", Some(77), "", skipped("it says so by exit code 77")),
            ("exit = 77", Some(77), "", Verdict::Passed),
            ("contains = ['a', 'b']", Some(0), "a b", Verdict::Passed),
            ("contains = ['a', 'b']", Some(0), "a c", failed("its output does not contain `b`")),
            ("lacks = 'b'", Some(0), "a b", failed("its output contains `b`")),
            ("matches = '^b.$'", Some(0), "a\nbc\n", Verdict::Passed),
            ("matches = '^b$'", Some(0), "a\nbc\n", failed("nothing in its output matches `^b$`")),
        ];
        for (fields, code, output, expected) in rows {
            assert_eq!(judged(fields, code, output), expected, "{fields} {code:?} {output:?}");
        }
        let reason = judged("", Some(255), "").reason().to_owned();
        assert!(reason.contains("ssh"), "{reason}");
    }
}
