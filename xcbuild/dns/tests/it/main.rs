//! The proxy between real clients and real servers, all on loopback.

// Helpers of tests are tests: what fails in them fails the test, and skips are printed.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

mod failing;
mod following;
mod forwarding;
mod namespace;
mod own_names;
mod program;
mod tcp_clients;
