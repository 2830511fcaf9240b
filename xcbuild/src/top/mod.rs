//! `top`: a cluster at a glance, drawn anew as it changes.
//!
//! ```text
//! Status, now and a moment ago ── model ──> rows of nodes, rows of networks ─┐
//! the end of a node's console ───────────────────────────────────────────────┴─ draw ──> a screen
//! ```
//!
//! Both parts are pure. The loop that looks, draws and reads keys is the verb's.

pub(crate) mod draw;
pub(crate) mod model;
