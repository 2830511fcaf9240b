//! What the harness says of tests that pass, fail and can't run, and what `tests/summary` counts.
//!
//! The tests that it says it of are in `src/bin/subject.rs`.
#![allow(clippy::unwrap_used)] // What fails in a helper fails the test.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the subject prints, and its exit code.
fn subject(arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xc-harness-subject"));
    let done = command.args(arguments).env_remove("RUST_BACKTRACE").output().unwrap();
    let said = [done.stdout, done.stderr].map(|o| String::from_utf8_lossy(&o).into_owned());
    (said.concat(), done.status.code())
}

/// How a test ended, as it is printed.
fn outcome<'a>(said: &'a str, test: &str) -> &'a str {
    let line = said.lines().find(|line| line.split_whitespace().nth(1) == Some(test));
    line.and_then(|line| line.split_once(" ... ")).unwrap_or_else(|| panic!("{test}: {said}")).1
}

fn summary(log: &str, failed: &str) -> (String, Option<i32>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../summary");
    let mut command = Command::new(script);
    let command = command.args(["/dev/stdin", failed]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    (String::from_utf8(done.stdout).unwrap(), done.status.code())
}

#[test]
fn what_can_not_run_is_ignored_and_never_passed() {
    let (said, code) = subject(&[]);
    assert_eq!(code, Some(101), "{said}");
    for (test, reason) in [
        ("lacks_a_program", "`nosuchprogram` is not installed"),
        ("lacks_the_second_thing", "this machine never has it"),
        ("lacks_a_file", "`/nosuch` is not installed (package nothing)"),
        ("rows::lacks_it", "this machine never has it"),
        ("rows::a_fault", "the judge crashes on it"),
        ("lacks_all_rows::one", "this machine never has it"),
        ("lacks_all_rows::two", "this machine never has it"),
        ("below::shares_what_is_nowhere", "`nosuchprogram` is not installed"),
    ] {
        assert_eq!(outcome(&said, test), format!("ignored ({reason})"), "{test}");
    }
    for test in ["passes", "rows::one_row", "rows::no_fault", "others_are_not_serial"] {
        assert_eq!(outcome(&said, test), "ok", "{test}");
    }
    assert!(said.contains("test result: FAILED. 12 passed; 5 failed; 8 ignored; "), "{said}");
    assert!(!said.contains("its body ran") && !said.contains("what needs what is nowhere"));
    assert_eq!(said.matches("asked\n").count(), 1, "a check is made once: {said}");
}

#[test]
fn failures_say_where_and_why_once() {
    let (said, _) = subject(&["fails"]);
    assert_eq!(outcome(&said, "fails"), "FAILED");
    let (_, failures) = said.split_once("---- fails ----\n").unwrap();
    assert!(failures.starts_with("panicked at tests/harness/src/bin/subject.rs:"), "{said}");
    assert!(failures.contains("assertion `left == right` failed: sums\n  left: 2"), "{said}");
    assert_eq!(said.matches("failed: sums").count(), 1, "{said}");
}

#[test]
fn a_fixture_is_made_once_and_ended_before_the_run_is() {
    let (said, code) = subject(&["shares"]);
    assert_eq!(code, Some(101), "one of them fails");
    // After the third, which failed, no test needs it again.
    assert_eq!(said.matches("made shared").count(), 1, "{said}");
    assert_eq!(said.matches("ended shared").count(), 1, "{said}");

    let (said, _) = subject(&["below"]);
    assert_eq!(said.matches("made shared").count(), 2, "after a failure it is another: {said}");
    assert_eq!(said.matches("ended shared").count(), 2, "{said}");
    assert_eq!(outcome(&said, "below::d_has_another"), "ok");
    assert_eq!(said.matches("it can't be made").count(), 1, "it is tried once: {said}");
    assert_eq!(outcome(&said, "below::two_has_none"), "FAILED");

    assert_eq!(outcome(&said, "below::z_finds_it_whole"), "ok", "the last one comes last");

    let (said, code) = subject(&["a_shares"]);
    assert_eq!((code, said.matches("ended shared").count()), (Some(0), 1), "{said}");
}

#[test]
fn the_command_line_is_that_of_other_tests() {
    for (arguments, counts) in [
        (&["lacks_all"][..], "0 passed; 0 failed; 2 ignored; 0 measured; 23 filtered out"),
        (&["--exact", "passes"], "1 passed; 0 failed; 0 ignored; 0 measured; 24 filtered out"),
        (&["serial", "--test-threads=1"], "4 passed; 0 failed; 0 ignored"),
        (&["row", "--skip=fails", "--skip=lacks"], "2 passed; 0 failed; 1 ignored"),
        (&["--exact", "rows::a_fault", "--include-ignored"], "1 passed; 0 failed; 0 ignored"),
        (&["rows", "--ignored"], "4 passed; 0 failed; 0 ignored"),
    ] {
        let (said, _) = subject(arguments);
        assert!(said.contains(counts), "{arguments:?}: {said}");
    }
    let listed = |arguments: &[&str]| subject(arguments).0.matches(": test\n").count();
    assert_eq!(listed(&["--list", "--format", "terse"]), 25);
    assert_eq!(listed(&["--list", "--format", "terse", "--ignored"]), 8);
}

#[test]
fn the_summary_counts_each_once_and_fails_with_what_failed() {
    let (said, _) = subject(&[]);
    let libtest = "test a::b ... ok\ntest c ... ignored, not here\ntest d ... ignored\n\n\
                   test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out\n";
    let (summed, code) = summary(&format!("{libtest}{said}"), "0");
    assert_eq!(code, Some(1));
    assert!(summed.ends_with("\n13 passed, 5 failed, 10 skipped\n"), "{summed}");
    for line in [
        "\n    c: not here\n",
        "\n    d\n",
        "\n    lacks_a_file: `/nosuch` is not installed (package nothing)\n",
    ] {
        assert!(summed.contains(line), "{line}: {summed}");
    }
    assert!(!summed.contains("a::b"), "{summed}");

    let (summed, code) = summary(libtest, "0");
    assert_eq!((code, summed.lines().last()), (Some(0), Some("1 passed, 0 failed, 2 skipped")));
    let (summed, code) = summary(libtest, "1");
    assert_eq!((code, summed.lines().last()), (Some(1), Some("1 passed, 1 failed, 2 skipped")));
    let (summed, code) = summary("", "1");
    assert_eq!((code, summed.as_str()), (Some(1), "\n0 passed, 1 failed, 0 skipped\n"));
}
