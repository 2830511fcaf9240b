//! Overlays: found by name, read, and built into layers.
//!
//! ```text
//! names ── plan ──> overlays in order ── recipe ──> ingredients ── key ──> store ─┬─ hit ──> layer
//!           │  find, manifest              │  what decides the result             └─ build, publish
//!           needs, conflicts               steps: packages, trees, files, links …
//! ```
//!
//! An overlay is a directory with a manifest ([`manifest`]) or with a script that writes a tar
//! ([`script`]), or a tar file. What comes of it is a *layer*: a normalised tree, stored as a tar by
//! its digest. [`mkcdrom`] puts layers into an ISO by [`crate::image::cdrom`].
//!
//! This module knows no cluster, network or VM, and reads no environment: [`Params`] brings all.

pub mod build;
pub mod embedded;
pub mod find;
pub mod manifest;
pub mod mkcdrom;
pub mod plan;
pub mod reason;
pub mod recipe;
pub mod script;
pub mod tarball;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use find::{Overlay, Search, Source};

use crate::settings::Variables;

/// All that overlays are built from, besides themselves.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// Where overlays are looked for.
    pub search: Search,
    /// The variables that manifests may declare, with the values the user gave them.
    pub variables: Variables,
    /// What `tar` scripts get as their environment: the contract's variables, and no other.
    pub script_environment: BTreeMap<String, String>,
    /// `ARCHIVE`: where archives are.
    pub archive: PathBuf,
    /// `PATH`: where host programs are looked for.
    pub programs: std::ffi::OsString,
}
