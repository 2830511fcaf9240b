//! `trees`: directories of the overlay whose content is put on `/`.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::listing;
use super::{Context, Ingredient, Step};
use crate::manifest::TreeName;
use crate::manifest::template::{render, variables};
use xc_report::Reporter;
use xc_store::listing::Listing;
use xc_store::tree::{Modes, Tree, TreePath, attributed, from_directory};

/// Directories whose modes a checkout can't keep and nodes can't do without.
const KNOWN_MODES: &[(&str, u32)] = &[("root", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777)];

struct Copied {
    name: String,
    directory: PathBuf,
    listing: Listing,
    reporter: Reporter,
}

/// The steps of all trees that are there.
///
/// # Errors
/// When a tree that has to be there is not, or can't be read.
pub(super) fn steps(context: &Context<'_>) -> Result<Vec<Box<dyn Step>>> {
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    for tree in context.manifest.trees() {
        for name in names(context, tree) {
            let directory = context.local(&name);
            if directory.is_dir() {
                steps.push(Box::new(Copied::read(&name, context)?));
            } else if !tree.optional {
                bail!(
                    "the tree `{name}` is not there: `{}` is not a directory",
                    directory.display()
                );
            }
        }
    }
    Ok(steps)
}

/// The directories that a name stands for: one for each value of its first variable, which is a list
/// as `SETUP` is. The others are taken as they are.
fn names(context: &Context<'_>, tree: TreeName<'_>) -> Vec<String> {
    let Some(first) = variables(tree.template).next() else { return vec![tree.template.into()] };
    let values = context.variable(first).unwrap_or_default();
    let of_value = |value: &str| {
        let lookup = |name: &str| {
            if name == first { Some(value.to_owned()) } else { context.variable(name) }
        };
        render(tree.template, lookup).ok()
    };
    // A value is for a directory here, or for another overlay: it never leads out of this one.
    let inside = |name: &String| !name.starts_with('/') && TreePath::new(name).is_ok();
    let values = values.split(',').filter(|v| !v.is_empty());
    values.filter_map(of_value).filter(inside).collect()
}

impl Copied {
    fn read(name: &str, context: &Context<'_>) -> Result<Self> {
        let directory = context.local(name);
        let listing = Listing::of(&directory, context.packages.store())?;
        let reporter = context.packages.store().reporter().clone();
        Ok(Self { name: name.to_owned(), directory, listing, reporter })
    }
}

impl Step for Copied {
    fn label(&self) -> String {
        format!("{}/", self.name)
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        listing::ingredients(&self.name, &self.listing)
    }

    fn key_parts(&self) -> Vec<Ingredient> {
        vec![Ingredient::new("tree", self.listing.digest().to_string())]
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        let mut tree = from_directory(&self.directory, Modes::Checkout)?;
        if let Some(first) = attributed(&self.directory)?.first() {
            self.reporter.warn(format_args!(
                "`{}/{first}` and perhaps others have capabilities or access lists, which are left out, as a checkout has none: name capabilities under [attributes]",
                self.name
            ));
        }
        for (path, mode) in KNOWN_MODES {
            if let Some(entry) = tree.get_mut(&TreePath::new(path)?) {
                entry.mode = *mode;
            }
        }
        Ok(tree)
    }
}
