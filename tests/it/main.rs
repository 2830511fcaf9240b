//! Tests of the whole program, as its users run it: real packages, real ISOs, real VMs.
//!
//! One binary, a file per verb. What every file needs is in `common`. Each test says what it needs of
//! the machine, and is ignored where that is missing (`tests/harness`). Those that run clusters are
//! `serial`.

// A failed expectation in a helper of the tests ends the test.
#![allow(clippy::unwrap_used)]

// `#[test]` is the harness' own from here on, in all modules.
#[macro_use]
extern crate xc_harness;

mod access;
mod base;
mod beside;
mod bridges;
mod common;
mod completions;
mod contract;
mod dns_check;
mod dns_serve;
mod faults;
mod frame;
mod hard_times;
mod iso;
mod life;
mod mkcdrom;
mod mutation;
mod netns;
mod overlays;
mod scripts;
mod store;
mod terminals;
mod testing;
mod topology;
mod up;
mod xctest;

fn main() -> std::process::ExitCode {
    xc_harness::main()
}
