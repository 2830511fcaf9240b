//! Reference programs: there, or the check is skipped and says so.

use assert_cmd::Command;

/// Whether a program is on `PATH` or in the system's directories; says `SKIPPED` if not.
pub fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    let found = std::env::split_paths(&path).chain(system).any(|d| d.join(program).is_file());
    if !found {
        println!("SKIPPED: `{program}` is not installed");
    }
    found
}

/// Runs a program, which has to succeed, and gives what it wrote to both outputs.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).env("LC_ALL", "C").assert().success();
    let output = done.get_output();
    [&output.stdout, &output.stderr].map(|o| String::from_utf8_lossy(o).into_owned()).concat()
}
