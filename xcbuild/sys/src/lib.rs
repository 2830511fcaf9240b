//! What touches the machine: other programs, files, signals, links and namespaces. The only module
//! with `unsafe`, and the only one that starts a process.

pub mod cancel;
pub mod exec;
pub mod files;
pub mod jobs;
pub mod lock;
pub mod namespace;
pub mod netlink;
pub mod packet;
pub mod shell;
pub mod tap;
pub mod trace;
pub mod wait;
