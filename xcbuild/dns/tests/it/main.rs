//! The proxy between real clients and real servers, all on loopback.

mod common;

mod failing;
mod forwarding;
mod own_names;
mod program;
