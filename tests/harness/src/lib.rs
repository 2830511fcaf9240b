//! Runs the tests of a binary that is built with `harness = false`, and tells the truth about those
//! that can't run on this machine: they are *ignored*, by name and with the reason.
//!
//! Rust's own harness decides what is ignored when it is compiled. Here a test says what it
//! [needs](Need), and that is looked for when the tests are run, before any of its body is:
//!
//! ```text
//! #[macro_use] // In main.rs; `#[test]` is this crate's from then on, in all modules.
//! extern crate xc_harness;
//!
//! #[test(needs = [Need::Program("isoinfo")])]
//! fn isoinfo_reads_it() { … }
//!
//! #[tests]
//! fn every_judge_reads_every_tree() -> Vec<Case> { … }
//!
//! fn main() -> std::process::ExitCode { xc_harness::main() }
//! ```
//!
//! A test has no other way to be skipped: where only a part of it can't be done, that part is a test of
//! its own, if need be one of a table's [`Case`]s.
//!
//! The command line and what is printed are those of Rust's own harness, by `libtest-mimic`:
//! `cargo test NAME` runs those with `NAME` in them. Tests run in parallel, but of those that are
//! `serial`, or `serial_in` a lane, one at a time; those on a [`Fixture`], such as a running cluster,
//! follow each other while it is up.
//!
//! What panics print is kept for the list of failures. Other output is shown as it comes.

mod case;
mod fixture;
mod need;
mod outcome;
mod run;
mod schedule;
mod test;

pub use case::Case;
pub use fixture::{AnyFixture, Fixture};
pub use need::Need;
pub use run::main;
pub use schedule::assert_serial;
pub use test::Test;
pub use xc_harness_macros::{test, tests};

#[doc(hidden)]
pub use inventory;
