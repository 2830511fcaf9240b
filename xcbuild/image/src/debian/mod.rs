//! Debian packages as input: from names to file trees, without root.
//!
//! ```text
//! names ── lock file, or apt as solver ──> PackageSet ── store, or apt as fetcher ──> .deb files
//!       ── data.tar, unpacked once into the store ──> Tree ── rules, alternatives ──> Tree
//! ```
//!
//! | part | subject |
//! |---|---|
//! | [`lock`](LockFile) | `xcbuild.lock`: what was asked and what exactly was the answer |
//! | `apt` | the host's `apt-get` with a state of its own |
//! | `status` | what apt takes for installed |
//! | `deb` | the file format |
//! | [`packages`](Packages) | the way above: lock, resolve, fetch |
//! | [`unpack`](merged_tree) | package to tree: what is left out, alternatives |
//!
//! It is not a package manager: nothing is configured, no maintainer script runs, nothing is removed.
//! With everything in the store no apt and no network are needed.

mod alternatives;
mod apt;
mod deb;
mod lock;
mod packages;
mod status;
mod unpack;

pub use apt::AptError;
pub use deb::DebError;
pub use lock::{LockError, LockFile, Package, PackageSet};
pub use packages::{Packages, Request};
pub use unpack::{merged_tree, package_tree};

/// Debian's name for the only architecture that nodes have so far.
pub const ARCHITECTURE: &str = "amd64";
