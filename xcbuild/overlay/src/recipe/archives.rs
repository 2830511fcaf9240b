//! `[[archive]]`: files of `$ARCHIVE`, unpacked.
//!
//! The digest in the manifest decides; the file itself is looked at only when the layer is built,
//! so a layer that is in the store needs no archive.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use super::packages::without;
use super::{Context, Ingredient, Step};
use crate::manifest::{Archive, NodePath};
use crate::tarball;
use xc_store::key::Digest;
use xc_store::store::Store;
use xc_store::tree::{Kind, Tree, TreePath};

struct Unpacked<'a> {
    archive: &'a Archive,
    file: PathBuf,
    leave_out: &'a [NodePath],
    store: &'a Store,
    unpack_max: Option<u64>,
}

/// The steps of all archives.
pub(super) fn steps<'a>(context: &Context<'a>) -> Vec<Box<dyn Step + 'a>> {
    let step = |archive: &'a Archive| {
        let file = context.params.archive.join(&archive.name.0);
        let leave_out = context.manifest.leave_out.as_slice();
        let store = context.packages.store();
        Box::new(Unpacked {
            archive,
            file,
            leave_out,
            store,
            unpack_max: context.params.unpack_max,
        }) as Box<dyn Step + 'a>
    };
    context.manifest.archives.iter().map(step).collect()
}

impl Unpacked<'_> {
    fn check(&self) -> Result<()> {
        let missing = || {
            let (name, file) = (&self.archive.name.0, self.file.display());
            format!("the archive `{name}` is not there; put it at `{file}`, or set ARCHIVE")
        };
        let file = fs::File::open(&self.file).with_context(missing)?;
        let found = Digest::of_reader(file)?.0;
        let wanted = self.archive.sha256.0;
        if found != wanted {
            bail!("`{}` has the SHA-256 {found}, not {wanted}", self.file.display());
        }
        Ok(())
    }

    /// Where a path of the archive goes; `None` if it is not taken.
    fn place(&self, path: &TreePath) -> Result<Option<TreePath>> {
        let parts: Vec<&[u8]> = path.parts().skip(self.archive.strip).collect();
        let stripped = TreePath::new(parts.join(&b'/'))?;
        let taken = |only: &TreePath| stripped == *only || stripped.is_below(only);
        let only = self.archive.only.iter().map(|o| TreePath::new(&o.0));
        let only: Vec<TreePath> = only.collect::<Result<_, _>>()?;
        if stripped.is_root() || !(only.is_empty() || only.iter().any(taken)) {
            return Ok(None);
        }
        Ok(Some(self.archive.to.0.join(&stripped)?))
    }
}

impl Step for Unpacked<'_> {
    fn label(&self) -> String {
        format!("archive {}", self.archive.name.0)
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        let Archive { name, sha256, to, strip, only } = self.archive;
        let only: Vec<&str> = only.iter().map(|o| o.0.as_str()).collect();
        let leave_out: Vec<String> = self.leave_out.iter().map(ToString::to_string).collect();
        let (only, leave_out) = (only.join(" "), leave_out.join(" "));
        let value = format!("{} to {to} strip {strip} only {only} without {leave_out}", sha256.0);
        vec![Ingredient::new(format!("archive {}", name.0), value)]
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        self.check()?;
        let unpacked = tarball::read(&self.file, self.store, self.unpack_max)
            .with_context(|| format!("the archive `{}`", self.file.display()))?;
        let mut tree = Tree::new();
        for (path, mut entry) in unpacked {
            if let Kind::Hardlink(target) = &mut entry.kind {
                let place = self.place(target)?;
                let lost = || format!("`{path}` is a hard link to `{target}`, which is not taken");
                *target = place.with_context(lost)?;
            }
            if let Some(place) = self.place(&path)? {
                tree.insert(place, entry);
            }
        }
        if tree.is_empty() {
            bail!("nothing of `{}` is taken: look at strip and only", self.file.display());
        }
        Ok(without(tree, self.leave_out))
    }
}
