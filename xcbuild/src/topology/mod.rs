//! Nodes and networks: who is on what, with which addresses. Pure: no I/O.

pub mod address;
