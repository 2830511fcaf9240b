//! `packages`: Debian packages with all they depend on, less what the base image has.

use anyhow::{Context as _, Result};

use super::{Context, Ingredient, Step};
use crate::manifest::{Identifier, NodePath};
use xc_image::base;
use xc_image::debian::{PackageSet, Packages, Request, merged_tree};
use xc_store::tree::Tree;

struct Unpacked<'a> {
    packages: &'a Packages<'a>,
    set: PackageSet,
    leave_out: &'a [NodePath],
}

/// The step of all packages, if there are any.
///
/// # Errors
/// When they can't be resolved.
pub(super) fn step<'a>(context: &Context<'a>) -> Result<Option<Box<dyn Step + 'a>>> {
    let Context { manifest, packages, .. } = *context;
    if manifest.packages.is_empty() {
        return Ok(None);
    }
    let names = |words: &[Identifier]| words.iter().map(|w| w.0.clone()).collect::<Vec<_>>();
    let wants = names(&manifest.packages);
    let without = [names(&manifest.without), base::not_installed()].concat();
    let set = over_base(packages, &wants, &without).context("its Debian packages")?;
    Ok(Some(Box::new(Unpacked { packages, set, leave_out: &manifest.leave_out })))
}

fn over_base(packages: &Packages<'_>, wants: &[String], without: &[String]) -> Result<PackageSet> {
    let base = base::root_packages(packages)?;
    // What the base image's packages provide stands in their files.
    packages.fetch(&base)?;
    packages.resolve(&Request { wants, without, over: Some(&base) })
}

/// Takes paths out of a tree.
pub(super) fn without(mut tree: Tree, leave_out: &[NodePath]) -> Tree {
    for path in leave_out {
        tree.remove(&path.0);
    }
    tree
}

impl Step for Unpacked<'_> {
    fn label(&self) -> String {
        "packages".into()
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        let package = |p: &xc_image::debian::Package| {
            Ingredient::new(format!("package {}", p.name), format!("{} {}", p.version, p.sha256))
        };
        let paths: Vec<String> = self.leave_out.iter().map(ToString::to_string).collect();
        let leave_out = Ingredient::new("leave out", paths.join(" "));
        self.set.packages.iter().map(package).chain([leave_out]).collect()
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        Ok(without(merged_tree(self.packages, &self.set)?, self.leave_out))
    }
}
