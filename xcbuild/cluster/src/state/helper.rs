//! What is saved of processes that run for the cluster and are no node.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use xc_vm::process::ProcessId;

/// A process that runs for the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helper {
    /// Its command, to start it and to show it; nothing is read from here.
    pub argv: Vec<String>,
    /// The process, once it is known.
    pub process: Option<ProcessId>,
}

/// The cluster's DNS proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// What it does.
    #[serde(flatten)]
    pub service: DnsService,
    /// The process.
    #[serde(flatten)]
    pub helper: Helper,
}

/// What a DNS proxy does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsService {
    /// Which program it is.
    pub program: DnsProgram,
    /// The servers that it asks; those of `/etc/resolv.conf` if there are none.
    pub upstreams: Vec<SocketAddr>,
    /// The user's hosts file whose names it answers itself.
    pub spoof: Option<PathBuf>,
}

/// A program that serves names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsProgram {
    /// xcbuild itself.
    #[default]
    Own,
    /// A CoreDNS of the user's.
    CoreDns(PathBuf),
}
