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
//! its digest. [`mkcdrom`] puts layers into an ISO by [`xc_image::cdrom`].
//!
//! This module knows no cluster, network or VM, and reads no environment: [`Params`] brings all.

pub mod archive;
pub mod build;
pub mod create;
pub mod embedded;
pub mod find;
mod gzip;
pub mod inspect;
pub mod lint;
pub mod manifest;
mod merged;
pub mod mkcdrom;
pub mod params;
pub mod plan;
pub mod reason;
pub mod recipe;
pub mod script;
pub mod tarball;
pub mod topology;
pub mod trace;
mod variables;

pub use find::{Overlay, Search, Source};
pub use mkcdrom::mkcdrom;
pub use params::{Params, Passed};
pub use recipe::DEFAULT_TOPOLOGY;
pub use variables::Variables;
