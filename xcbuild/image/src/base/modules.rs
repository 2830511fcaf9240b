//! Which kernel modules an initramfs needs, in an order in which they load.
//!
//! Reads `modules.dep` (`man 5 modules.dep`: `path.ko: dependency.ko …`, a module's dependencies
//! last-needed first) and `modules.builtin` (paths, one per line). Module names don't tell `-` from
//! `_`.

use std::collections::{BTreeMap, BTreeSet};

/// A module that is neither there nor part of the kernel.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel has no module `{0}`, which a node needs to find its file system")]
pub(super) struct Missing(String);

/// The modules of one kernel.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// By name: the path, and the paths it depends on.
    loadable: BTreeMap<String, (String, Vec<String>)>,
    builtin: BTreeSet<String>,
}

impl Modules {
    /// Reads the kernel's two lists.
    pub(super) fn parse(modules_dep: &str, modules_builtin: &str) -> Self {
        let line = |line: &str| {
            let (path, needs) = line.split_once(':')?;
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            Some((name_of(path), (path.to_owned(), needs)))
        };
        Self {
            loadable: modules_dep.lines().filter_map(line).collect(),
            builtin: modules_builtin.lines().map(name_of).collect(),
        }
    }

    /// The paths of those modules and of all they need, each after what it needs; modules that are
    /// part of the kernel are left out.
    ///
    /// # Errors
    /// [`Missing`] for the first one that isn't there.
    pub(super) fn closure(&self, names: &[&str]) -> Result<Vec<String>, Missing> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            self.visit(&name_of(name), &mut seen, &mut order)?;
        }
        Ok(order)
    }

    fn visit(
        &self,
        name: &str,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) -> Result<(), Missing> {
        if self.builtin.contains(name) || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let (path, needs) = self.loadable.get(name).ok_or_else(|| Missing(name.to_owned()))?;
        for needed in needs.iter().rev() {
            self.visit(&name_of(needed), seen, order)?;
        }
        order.push(path.clone());
        Ok(())
    }
}

/// `kernel/drivers/char/hw_random/virtio-rng.ko.xz` is `virtio_rng`.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split_once(".ko").map_or(file, |(stem, _)| stem);
    stem.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{Missing, Modules};

    const DEP: &str = "\
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_modern_dev.ko kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_pci_modern_dev.ko:
kernel/drivers/char/hw_random/virtio-rng.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/a.ko: kernel/b.ko
kernel/b.ko: kernel/a.ko
";

    #[test]
    fn needed_modules_come_first() {
        let modules = Modules::parse(DEP, "kernel/fs/ext4/ext4.ko\n");
        let order = modules.closure(&["virtio_pci", "virtio_rng", "ext4", "virtio-pci"]).unwrap();
        insta::assert_snapshot!(order.join("\n"), @r"
        kernel/drivers/virtio/virtio_ring.ko
        kernel/drivers/virtio/virtio.ko
        kernel/drivers/virtio/virtio_pci_modern_dev.ko
        kernel/drivers/virtio/virtio_pci.ko
        kernel/drivers/char/hw_random/virtio-rng.ko.xz
        ");
    }

    #[test]
    fn what_is_not_there_is_named_and_loops_end() {
        let modules = Modules::parse(DEP, "");
        assert_eq!(modules.closure(&["isofs"]), Err(Missing("isofs".to_owned())));
        assert_eq!(modules.closure(&["a"]).unwrap().len(), 2);
    }
}
