//! Reference programs.

use assert_cmd::Command;

/// Runs a program, which has to succeed, and gives what it wrote to both outputs.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).env("LC_ALL", "C").assert().success();
    let output = done.get_output();
    [&output.stdout, &output.stderr].map(|o| String::from_utf8_lossy(o).into_owned()).concat()
}
