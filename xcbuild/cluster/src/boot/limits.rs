//! How nodes are brought up: what the user wants, else what suits host and accelerator.

use std::time::Duration;

use super::order::Order;
use crate::start::BringUp;
use xc_vm::command::Accel;

/// How nodes are brought up.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// How many boot at once; if not given, as many as there are boot slots of the host.
    pub(super) parallel: Option<usize>,
    /// How many boot slots the host has.
    pub(super) slots: usize,
    /// How long each may take.
    pub(super) each: Duration,
    /// Which roles come first.
    pub(super) order: Order,
    /// Whether to go on without nodes that fail.
    pub(super) keep_going: bool,
    /// Whether to wait until nodes are ready.
    pub(super) wait: bool,
}

impl Limits {
    /// What suits a host of so many processors and the accelerator, but for how long each node may take.
    pub(crate) fn new(accel: Accel, cores: usize, each: Option<Duration>) -> Self {
        let (slots, seconds) = match accel {
            Accel::Kvm => (cores * 2, 60),
            // A node that boots by translation keeps a core busy all the time.
            Accel::Tcg => (cores, 180),
        };
        let each = each.unwrap_or(Duration::from_secs(seconds));
        let order = Order::default();
        Self { parallel: None, slots, each, order, keep_going: false, wait: true }
    }

    /// As the user wants it for nodes that are started.
    pub(crate) fn of(accel: Accel, cores: usize, wanted: &BringUp) -> Self {
        Self {
            parallel: wanted.parallel.map(|parallel| parallel.max(1)),
            order: wanted.order.clone(),
            keep_going: wanted.keep_going,
            ..Self::new(accel, cores, wanted.timeout)
        }
    }

    /// With or without the wait for nodes to be ready.
    pub(crate) fn waiting(self, wait: bool) -> Self {
        Self { wait, ..self }
    }
}
