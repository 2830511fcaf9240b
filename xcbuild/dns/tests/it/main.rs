//! The proxy between real clients and real servers, all on loopback.

// Helpers of tests are tests: what fails in them fails the test.
#![allow(clippy::unwrap_used)]

// `#[test]` is the harness' own from here on, in all modules.
#[macro_use]
extern crate xc_harness;

mod common;

mod failing;
mod following;
mod forwarding;
mod namespace;
mod own_names;
mod program;
mod stand_in;
mod stand_in_forward;
mod tcp_clients;

fn main() -> std::process::ExitCode {
    xc_harness::main()
}
