//! In which order nodes are let boot.

use std::collections::VecDeque;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::BootKind;
use xc_topology::address::{NodeId, Role};

/// The roles in an order: nodes of a later one begin to boot when those of the earlier ones are
/// ready. Roles that are not named come last, together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order(Vec<Role>);

impl FromStr for Order {
    type Err = anyhow::Error;

    /// Names of roles, with commas between: `routers,vms,testers`, or `router,vm,tester`.
    fn from_str(text: &str) -> Result<Self> {
        let mut roles = Vec::new();
        for word in text.split(',').map(str::trim) {
            let role = word.parse()?;
            if roles.contains(&role) {
                bail!("the role `{word}` is named twice");
            }
            roles.push(role);
        }
        Ok(Self(roles))
    }
}

impl Order {
    fn rank(&self, node: NodeId) -> usize {
        self.0.iter().position(|role| *role == node.role()).unwrap_or(self.0.len())
    }
}

/// The nodes that have yet to boot.
#[derive(Debug)]
pub(super) struct Queue<'a> {
    order: &'a Order,
    waiting: VecDeque<(NodeId, BootKind)>,
}

impl<'a> Queue<'a> {
    /// Nodes in the order of their roles, and in the order given within each.
    pub(super) fn new(order: &'a Order, nodes: &[(NodeId, BootKind)]) -> Self {
        let mut waiting = nodes.to_vec();
        waiting.sort_by_key(|(node, _)| order.rank(*node));
        Self { order, waiting: waiting.into() }
    }

    /// The node that may begin while those boot.
    pub(super) fn next(
        &self,
        mut booting: impl Iterator<Item = NodeId>,
    ) -> Option<(NodeId, BootKind)> {
        let next = *self.waiting.front()?;
        let rank = self.order.rank(next.0);
        booting.all(|node| self.order.rank(node) >= rank).then_some(next)
    }

    /// Takes that node out.
    pub(super) fn advance(&mut self) {
        self.waiting.pop_front();
    }

    /// Whether all have begun.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Queue};
    use crate::boot::BootKind;
    use xc_topology::address::NodeId;

    fn ids(numbers: &[u8]) -> Vec<NodeId> {
        numbers.iter().map(|n| NodeId::new(*n).unwrap()).collect()
    }

    #[test]
    fn later_roles_wait_for_earlier_ones() {
        let nodes: Vec<_> = ids(&[1, 2, 201, 221]).iter().map(|n| (*n, BootKind::Launch)).collect();
        let rows = [
            ("", vec![1, 2, 201, 221], true),
            ("routers,vms,testers", vec![201, 1, 2, 221], false),
            ("router", vec![201, 1, 2, 221], false),
            ("testers, vm", vec![221, 1, 2, 201], false),
        ];
        for (text, expected, all_at_once) in rows {
            let order =
                if text.is_empty() { Order::default() } else { text.parse::<Order>().unwrap() };
            let mut queue = Queue::new(&order, &nodes);
            let (mut begun, first) = (Vec::new(), ids(&expected)[0]);
            while !queue.is_empty() {
                // With nothing on its way the next may always begin.
                let (node, _) = queue.next(std::iter::empty()).unwrap();
                begun.push(node);
                queue.advance();
            }
            assert_eq!(begun, ids(&expected), "{text}");
            let mut queue = Queue::new(&order, &nodes);
            queue.advance();
            assert_eq!(queue.next([first].into_iter()).is_some(), all_at_once, "{text}");
        }
    }

    #[test]
    fn bad_orders_are_named() {
        let rows = [
            ("routes", "`routes` is no role; roles are vms, routers, testers"),
            ("vms,", "`` is no role; roles are vms, routers, testers"),
            ("vm,vms", "the role `vms` is named twice"),
            ("routers,router", "the role `router` is named twice"),
            ("tester,vms,tester", "the role `tester` is named twice"),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Order>().unwrap_err().to_string(), expected);
        }
    }
}
