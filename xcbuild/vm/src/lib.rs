//! One node as a qemu process: its command line, its accelerator, its process and its control.
//!
//! - [`command`], [`port`] and [`kernel_line`]: pure, from a node to what qemu and its kernel are told.
//! - [`accel`]: whether KVM works on this host, found out and not assumed.
//! - [`version`]: which qemu there is.
//! - [`process`]: a process that is known for certain, also by a later xcbuild.
//! - [`qmp`]: qemu's control socket.
//!
//! Nothing here knows of a cluster: where sockets and logs are, which nodes there are and in which
//! order they start is said by `cluster`, and what carries their networks by `net`.

pub mod accel;
pub mod command;
pub mod kernel_line;
pub mod port;
pub mod process;
pub mod qmp;
pub mod usage;
pub mod version;
