//! The contract with those who use the shell tool: what `docs/contract.md` lists, item by item.

mod attributes;
mod base_image;
mod coredns;
mod hooks;
mod images;
mod nodes;
mod overlays;
mod page;
mod scripts;
mod shell;
