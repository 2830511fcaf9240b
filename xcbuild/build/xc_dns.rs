//! Builds the nodes' DNS server and hands its path to the crate as `XC_DNS_STATIC`.
//!
//! An installed `xcbuild` is one file, and a node's root tree needs `xc-dns` as a static program.
//! No dependency on a binary can say that, so this runs cargo once more, with its own flags and
//! its own target directory, `xc-dns-static` beside the profiles' directories: shared by all
//! profiles, and not locked by the cargo that waits for this script. The program goes to
//! `OUT_DIR/xc-dns`, for `include_bytes!(env!("XC_DNS_STATIC"))`.
//!
//! The inner cargo inherits this script's environment, which the outer one has filled: what would
//! change its flags, its target directory or its compiler is taken out; what says where packages
//! are cached and how many jobs may run stays.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The profile of the workspace that makes it small.
const PROFILE: &str = "node";

/// What decides the program, from the workspace's root. A change of any runs this script again.
const INPUTS: [&str; 4] =
    ["xcbuild/dns/src", "xcbuild/dns/Cargo.toml", "xcbuild/build/xc_dns.rs", "Cargo.lock"];

/// Static, and without waiting for entropy, should a dependency ever ask for random numbers by
/// the getrandom crate: its default waits for ever in a node that has none.
const FLAGS: [&str; 4] =
    ["-C", "target-feature=+crt-static", "--cfg", "getrandom_backend=\"linux_getrandom\""];

/// Variables of the outer cargo, or of the user for the outer build, that must not reach the inner.
const REMOVED: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    // clippy-driver, in a run of clippy
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    "__CARGO_DEFAULT_LIB_METADATA",
];

/// Builds it, and says where it is and what it depends on.
pub(crate) fn build_static() -> Result<(), Box<dyn Error>> {
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = variable("TARGET")?;
    let target_dir = target_dir(&out)?;
    build(&root, &target, &target_dir)?;
    let built = target_dir.join(&target).join(PROFILE).join("xc-dns");
    let embedded = out.join("xc-dns");
    copy_if_changed(&built, &embedded)?;
    println!("cargo::rustc-env=XC_DNS_STATIC={}", embedded.display());
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo didn't set {name}"))
}

/// `xc-dns-static` beside the directory of this build's profile; `out` is
/// `PROFILE/build/xcbuild-HASH/out`.
fn target_dir(out: &Path) -> Result<PathBuf, String> {
    let parent = out.ancestors().nth(4);
    let parent = parent.ok_or_else(|| format!("OUT_DIR is too short: {}", out.display()))?;
    Ok(parent.join("xc-dns-static"))
}

fn build(root: &Path, target: &str, target_dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(variable("CARGO")?);
    // Given a target, the flags don't reach build scripts and macros, which can't be static.
    cargo.args(["build", "--locked", "--package", "xc-dns", "--bin", "xc-dns"]);
    cargo.args(["--profile", PROFILE, "--target", target, "--target-dir"]).arg(target_dir);
    cargo.current_dir(root).env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    for name in REMOVED {
        cargo.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        let profile = name.to_str().is_some_and(|name| name.starts_with("CARGO_PROFILE_"));
        if profile {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("building the static xc-dns failed ({}):\n{said}", output.status).into())
}

/// A copy with an unchanged time stamp if nothing changed, so that nothing is compiled again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let new = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    if !fs::read(to).is_ok_and(|old| old == new) {
        fs::write(to, new).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}
