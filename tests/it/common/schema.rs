//! The schema of a real consumer of JUnit files: `junit-10.xsd` of Jenkins' xUnit plugin, by which
//! pytest judges its own.
//!
//! It is not ours to keep here, so it comes out of pytest's source package, by this machine's pip.

use std::path::{Path, PathBuf};
use std::process::Command;

use xc_harness::Need;

/// The source package, and where the schema is in it.
const PACKAGE: &str = "pytest==9.2.0";
const MEMBER: &str = "testing/example_scripts/junit-10.xsd";

/// What it takes to judge by it. The schema is fetched once.
pub(crate) const SCHEMA: Need = Need::All(&[
    Need::Program("xmllint"),
    Need::Program("python3"),
    Need::Check(|| schema().map(drop).map_err(|reason| format!("no junit-10.xsd: {reason}"))),
]);

/// Has xmllint judge a file by the schema.
pub(crate) fn agrees(junit: &Path) {
    let schema = schema().unwrap();
    let judge = |file: &Path| {
        let mut xmllint = Command::new("xmllint");
        let done = xmllint.args(["--nonet", "--noout", "--schema"]).arg(&schema).arg(file).output();
        let done = done.unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (valid, said) = judge(junit);
    assert!(valid, "{said}");
    // It does judge: an element of our own is none of its.
    let text = std::fs::read_to_string(junit).unwrap();
    let other = junit.with_extension("other.xml");
    std::fs::write(&other, text.replacen("<skipped", "<omitted", 1)).unwrap();
    assert!(!judge(&other).0, "the schema takes everything");
}

/// The path of the schema, fetched once; or why there is none.
fn schema() -> Result<PathBuf, String> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("junit-10.xsd");
    if kept.exists() {
        return Ok(kept);
    }
    let fetched = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--disable-pip-version-check", "--retries=1", "--timeout=20"]);
    pip.args(["download", "-q", "--no-deps", "--no-binary=pytest", "-d"]);
    let done = pip.arg(fetched.path()).arg(PACKAGE).output().map_err(|e| e.to_string())?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let why = said.lines().rfind(|line| line.starts_with("ERROR")).unwrap_or(&said);
        return Err(format!("pip can't fetch {PACKAGE}: {}", why.trim()));
    }
    let archive = std::fs::read_dir(fetched.path()).unwrap().next().unwrap().unwrap().path();
    let member = format!("{}/{MEMBER}", PACKAGE.replace("==", "-"));
    let unpacked = fetched.path().join("junit-10.xsd");
    let mut tar = Command::new("tar");
    let done = tar.args(["-xzO", "-f"]).arg(&archive).arg(&member).output().unwrap();
    assert!(done.status.success(), "{PACKAGE} has no {MEMBER} any more");
    std::fs::write(&unpacked, done.stdout).unwrap();
    std::fs::rename(&unpacked, &kept).unwrap();
    Ok(kept)
}
