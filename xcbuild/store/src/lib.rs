//! Trees, keys and the store: what builds are made of, and where their results are kept.
//!
//! | module | subject |
//! |---|---|
//! | [`tree`] | file trees in memory, read from and written to tars, directories and ISOs |
//! | [`key`] | digests, and keys of recipes |
//! | [`store`] | the cache on disk: results by key, blobs by digest |
//! | [`remote`] | other places where these are kept |
//! | [`listing`] | what a directory contains, without reading it all each time |
//! | [`collect`] | keeping the store small and sound |
//! | [`publish`] | blobs under names that people know |
//!
//! Nothing here knows of overlays, images or clusters.

pub mod collect;
pub mod key;
pub mod listing;
pub mod publish;
pub mod remote;
pub mod store;
pub mod tree;
