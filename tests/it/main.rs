//! Tests of the whole program, as its users run it: real packages, real ISOs, real VMs.
//!
//! One binary, a file per verb. What every file needs is in `common`. A check that can't run here
//! prints a line that starts with `SKIPPED`; `tests/run` counts them.

// A failed expectation in a helper of the tests ends the test; SKIPPED lines are their output.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

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
