//! What touches the machine: other programs, files, signals. The only module with `unsafe`, and
//! the only one that starts a process.

pub mod cancel;
pub mod exec;
pub mod files;
