//! Recipes: all that decides a layer, and how it is made from it.
//!
//! A recipe is a list of steps. Each names its *ingredients*, texts that decide what it yields, and
//! applies itself to a tree. The key of a layer is made of the ingredients and of nothing else, and
//! `--explain` compares them: so nothing can decide a layer and not be explained.
//!
//! | ingredient | its value | why |
//! |---|---|---|
//! | `tree/path` | kind, executable, digest of the content (text of a link) | what `trees` copy; in the key stands the digest of all of them, [`xc_store::listing`] |
//! | `file /path` | mode, owner, digest of the rendered content | variables count by what they make of it |
//! | `link /path`, `alternative /path` | the link's text | |
//! | `device /path` | kind, numbers, mode, owner | |
//! | `attributes /path` | mode, owner | |
//! | `file /path` of `joined` | the directories that it is made from | their files are ingredients |
//! | `modules` | the names, in order | |
//! | `package NAME` | version, digest of the .deb | from the workspace's lock file |
//! | `leave out` | the paths | |
//! | `host /path` | digest of the content | programs and libraries of the host, by content |
//! | `archive NAME` | digest, `to`, `strip`, `only` | |
//! | `topology`, `topology /path` | its name, digest of the rendered content | |
//! | `script LINK leads to` | digest of the file or directory there, where that is not below the inputs | scripts read through links |
//! | `script FILE`, `script program NAME`, `script library PATH`, `script variable NAME` | digest of each; the value | what the script declares |
//! | `tar` | digest of the file | an overlay that is a tar file; with [`FORMAT`] |
//!
//! What decides the layer of a `tar` script is found out by running it: [`super::trace`] has the table.
//!
//! Not in it: times, owners and absolute paths on the host, umask, locale, the overlay's name and
//! place, the text of the manifest (only what it says), the number of threads. The version of the
//! encoding is in every key ([`xc_store::key`]); [`FORMAT`] is raised when a step comes to yield
//! something else from the same ingredients.

mod archives;
mod entries;
mod files;
mod listing;
mod outside;
mod packages;
mod programs;
mod script;
mod topologies;
mod trees;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub use topologies::DEFAULT as DEFAULT_TOPOLOGY;

use super::Params;
use super::manifest::Manifest;
use super::merged::warn_of_replaced;
use xc_image::debian::Packages;
use xc_report::Reporter;
use xc_report::timeline::span;
use xc_store::key::{Key, KeyBuilder};
use xc_store::tree::{Conflict, Entry, Tree, TreePath, merge, usr_merge};

/// Raised when a step comes to yield something else from the same ingredients.
pub(crate) const FORMAT: u64 = 6;
/// Another release may do better from the same ingredients.
const TOOL: &str = env!("CARGO_PKG_VERSION");

/// Something that decides a layer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ingredient {
    /// What it is, in words of the manifest.
    pub what: String,
    /// What of it counts.
    pub value: String,
}

impl Ingredient {
    /// An ingredient.
    pub fn new(what: impl Into<String>, value: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into() }
    }
}

/// A part of a recipe.
trait Step {
    /// What it is in the manifest, for people.
    fn label(&self) -> String;

    /// All that decides what the step yields.
    fn ingredients(&self) -> Vec<Ingredient>;

    /// What stands for the ingredients in the key: they themselves, unless they are many.
    fn key_parts(&self) -> Vec<Ingredient> {
        self.ingredients()
    }

    /// What the step yields, given the tree of the steps before it; it is put on top of that.
    ///
    /// # Errors
    /// When something can't be read, or is not what the ingredients say.
    fn yields(&self, before: &Tree) -> Result<Tree>;
}

/// What the steps of one overlay are resolved with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The overlay's name.
    pub name: &'a str,
    /// The overlay's directory.
    pub directory: &'a Path,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// The user's values, archives and programs.
    pub params: &'a Params,
    /// The Debian packages of the user's workspace.
    pub packages: &'a Packages<'a>,
}

impl Context<'_> {
    /// The value of a variable that the manifest declares, or that every overlay has.
    fn variable(&self, name: &str) -> Option<String> {
        let declared = self.manifest.variables.iter().find(|(n, _)| n.get_ref() == name);
        let set = self.params.variables.get(name).map(ToOwned::to_owned);
        set.or_else(|| declared.map(|(_, default)| default.clone())).or_else(|| Some(String::new()))
    }

    /// A path in the overlay's directory.
    fn local(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }
}

/// A path of a layer, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The path.
    pub path: TreePath,
    /// What is there.
    pub entry: Entry,
    /// The step that gave it.
    pub step: String,
}

/// All that decides a layer, and how it is made from it.
pub struct Recipe<'a> {
    name: &'a str,
    reporter: &'a Reporter,
    steps: Vec<Box<dyn Step + 'a>>,
}

impl<'a> Recipe<'a> {
    /// The recipe of an overlay with a manifest. Looks at the machine for all that the manifest
    /// names, and makes nothing yet.
    ///
    /// # Errors
    /// When something that the manifest names is not there.
    pub fn of(context: &Context<'a>) -> Result<Self> {
        let mut steps: Vec<Box<dyn Step + 'a>> = Vec::new();
        steps.extend(packages::step(context)?);
        steps.extend(archives::steps(context));
        steps.extend(programs::step(context)?);
        steps.extend(script::step(context)?);
        steps.extend(trees::steps(context)?);
        steps.extend(topologies::step(context)?);
        steps.extend(files::steps(context)?);
        steps.extend(entries::steps(context));
        Ok(Self { name: context.name, reporter: context.packages.store().reporter(), steps })
    }

    /// All that decides the layer, in the order of the steps.
    pub fn ingredients(&self) -> Vec<Ingredient> {
        self.steps.iter().flat_map(|s| s.ingredients()).collect()
    }

    /// The key of the layer.
    pub fn key(&self) -> Key {
        let builder = KeyBuilder::new("layer").number("format", FORMAT).text("tool", TOOL);
        let parts = self.steps.iter().flat_map(|s| s.key_parts());
        parts.fold(builder, |b, i| b.text(&i.what, &i.value)).finish()
    }

    /// Every path of the layer, and the step that gave it.
    ///
    /// # Errors
    /// As for [`Recipe::make`].
    pub fn origins(&self) -> Result<Vec<Origin>> {
        let mut labels = BTreeMap::new();
        let mut tree = Tree::new();
        for step in &self.steps {
            let yields = usr_merge(step.yields(&tree)?)?.tree;
            let label = step.label();
            labels.extend(yields.iter().map(|(path, _)| (path.clone(), label.clone())));
            merge(&mut tree, yields)?;
        }
        let origin = |(path, entry): (TreePath, Entry)| {
            let step = labels.get(&path).cloned().unwrap_or_default();
            Origin { path, entry, step }
        };
        Ok(tree.into_iter().map(origin).collect())
    }

    /// Makes the layer's tree. Later steps win over earlier ones; that is the manifest's meaning,
    /// and no conflict.
    ///
    /// # Errors
    /// When something can't be read, or is no longer what it was when the recipe was made.
    pub fn make(&self) -> Result<Tree> {
        let mut tree = Tree::new();
        for step in &self.steps {
            let _span = span("step", step.label());
            let yields = usr_merge(step.yields(&tree)?)?;
            warn_of_replaced(&yields, &step.label(), self.name, self.reporter);
            let yields = yields.tree;
            let _: Vec<Conflict> = merge(&mut tree, yields).context("a path is too long")?;
        }
        Ok(tree)
    }
}
