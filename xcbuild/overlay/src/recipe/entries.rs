//! `links`, `alternatives`, `[[device]]`, `modules`, `[attributes]`: entries without content.

use anyhow::{Result, anyhow, bail};

use super::{Context, Ingredient, Step};
use crate::manifest::{Attributes, Device, DeviceKind};
use xc_store::key::Digest;
use xc_store::tree::{Entry, Kind, Tree, TreePath, attributes, usr_merged_path};

/// Where `update-alternatives` has its links.
const ALTERNATIVES: &str = "etc/alternatives";
/// Files here name the kernel modules that overlays want.
const MODULES: &str = "etc/modules-load.d";
/// Loads them; every overlay with modules brings the same script, so that any base image will do.
const LOADER: &str = "etc/init.d/05modules.rc";
const LOADER_TEXT: &str = include_str!("modules.rc");

/// The steps of all these fields, in their order.
pub(super) fn steps(context: &Context<'_>) -> Vec<Box<dyn Step>> {
    let manifest = context.manifest;
    let links = manifest.links.iter().map(|(path, to)| One::link("link", &path.0, to));
    let alternatives = manifest.alternatives.iter().map(|(path, to)| One {
        what: "alternative",
        path: path.0.clone(),
        entry: Entry::symlink(format!("/{}", to.0)),
    });
    let devices = manifest.devices.iter().map(One::device);
    let modules = manifest.modules.iter().map(|m| m.0.as_str()).collect::<Vec<_>>();
    let modules = (!modules.is_empty())
        .then(|| Modules { overlay: context.name.into(), names: modules.join(" ") });
    let changes = manifest.attributes.iter();
    let changes = changes.map(|(path, to)| Changed { path: path.0.clone(), to: to.clone() });
    let boxed = |step: One| Box::new(step) as Box<dyn Step>;
    let mut steps: Vec<_> = links.chain(alternatives).chain(devices).map(boxed).collect();
    steps.extend(modules.map(|m| Box::new(m) as Box<dyn Step>));
    steps.extend(changes.map(|c| Box::new(c) as Box<dyn Step>));
    steps
}

/// One entry at a path.
struct One {
    what: &'static str,
    path: TreePath,
    entry: Entry,
}

impl One {
    fn link(what: &'static str, path: &TreePath, to: &str) -> Self {
        Self { what, path: path.clone(), entry: Entry::symlink(to) }
    }

    fn device(device: &Device) -> Self {
        let Device { path, kind, major, minor, mode, owner } = device;
        let block = *kind == DeviceKind::Block;
        let kind = Kind::Device { block, major: *major, minor: *minor };
        let entry = Entry { uid: owner.uid, gid: owner.gid, ..Entry::new(mode.0, kind) };
        Self { what: "device", path: path.0.clone(), entry }
    }

    fn value(&self) -> String {
        let Entry { mode, uid, gid, kind, .. } = &self.entry;
        match kind {
            Kind::Symlink(target) => String::from_utf8_lossy(target).into_owned(),
            Kind::Device { block, major, minor } => {
                let kind = if *block { "block" } else { "char" };
                format!("{kind} {major},{minor} {mode:04o} {uid}:{gid}")
            }
            other => format!("{other:?}"),
        }
    }
}

impl Step for One {
    fn label(&self) -> String {
        format!("[{}]", self.what)
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        vec![Ingredient::new(format!("{} /{}", self.what, self.path), self.value())]
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        let mut tree = Tree::new();
        if self.what != "alternative" {
            tree.insert(self.path.clone(), self.entry.clone());
            return Ok(tree);
        }
        // Two links, as Debian has it, so that a node can be switched in the usual place.
        let switch = TreePath::new(ALTERNATIVES)?.join(&TreePath::new(self.path.name())?)?;
        tree.insert(self.path.clone(), Entry::symlink(format!("/{switch}")));
        tree.insert(switch, self.entry.clone());
        Ok(tree)
    }
}

struct Modules {
    overlay: String,
    names: String,
}

impl Step for Modules {
    fn label(&self) -> String {
        "modules".into()
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        let loader = Digest::of(LOADER_TEXT.as_bytes());
        let value = format!("{}: {} {loader}", self.overlay, self.names);
        vec![Ingredient::new("modules", value)]
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        let mut tree = Tree::new();
        let path = TreePath::new(format!("{MODULES}/{}.conf", self.overlay))?;
        tree.insert(path, Entry::file(0o644, self.names.replace(' ', "\n") + "\n"));
        tree.insert(TreePath::new(LOADER)?, Entry::file(0o755, LOADER_TEXT));
        Ok(tree)
    }
}

/// Another mode or owner for what the steps before gave.
struct Changed {
    path: TreePath,
    to: Attributes,
}

impl Step for Changed {
    fn label(&self) -> String {
        "[attributes]".into()
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        let mode = self.to.mode.map(|m| format!("{:04o}", m.0)).unwrap_or_default();
        let owner = self.to.owner.map(|o| format!("{}:{}", o.uid, o.gid)).unwrap_or_default();
        let capabilities = self.to.capabilities.as_ref().map(|c| format!(" {}", Digest::of(&c.0)));
        let value = format!("{mode} {owner}{}", capabilities.unwrap_or_default());
        vec![Ingredient::new(format!("attributes /{}", self.path), value)]
    }

    fn yields(&self, before: &Tree) -> Result<Tree> {
        let missing = || anyhow!("[attributes] names `/{}`, which the overlay lacks", self.path);
        // The tree is usr-merged by now, and the manifest may name the old place.
        let path = usr_merged_path(&self.path)?;
        let mut entry = before.get(&path).ok_or_else(missing)?.clone();
        entry.mode = self.to.mode.map_or(entry.mode, |m| m.0);
        if let Some(owner) = self.to.owner {
            (entry.uid, entry.gid) = (owner.uid, owner.gid);
        }
        if let Some(capabilities) = &self.to.capabilities {
            if !matches!(entry.kind, Kind::File(_) | Kind::Hardlink(_)) {
                bail!("[attributes] gives capabilities to `/{}`, which is not a file", self.path);
            }
            entry.attributes.insert(attributes::CAPABILITY.to_vec(), capabilities.0.clone());
        }
        let mut tree = Tree::new();
        tree.insert(path, entry);
        Ok(tree)
    }
}
