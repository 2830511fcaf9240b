//! `topologies`: the topology that `TOPOLOGY` names, as the files that nodes read at start.

use anyhow::Result;

use super::{Context, Ingredient, Step};
use crate::topology;
use xc_store::key::Digest;
use xc_store::tree::{Entry, Tree, TreePath};
use xc_topology::render::{self, RenderedFile};

/// The default topology.
pub const DEFAULT: &str = "xnet";

struct Rendered {
    topology: String,
    files: Vec<(TreePath, RenderedFile)>,
}

/// The step, if the manifest has the field.
///
/// # Errors
/// When there is no topology of that name, or its file is wrong.
pub(super) fn step(context: &Context<'_>) -> Result<Option<Box<dyn Step>>> {
    let Some(directory) = &context.manifest.topologies else { return Ok(None) };
    let directory = context.local(&directory.0);
    let name = context.params.variables.or("TOPOLOGY", DEFAULT);
    let topology = topology::load(&directory, &name, &context.params.variables)?;
    let files = render::files(&topology).into_iter();
    let files = files.map(|(path, file)| Ok((TreePath::new(path)?, file)));
    Ok(Some(Box::new(Rendered { topology: topology.name, files: files.collect::<Result<_>>()? })))
}

impl Step for Rendered {
    fn label(&self) -> String {
        format!("topology {}", self.topology)
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        let one = |(path, file): &(TreePath, RenderedFile)| {
            let value = format!("{:04o} {}", file.mode, Digest::of(file.content.as_bytes()));
            Ingredient::new(format!("topology /{path}"), value)
        };
        let name = Ingredient::new("topology", self.topology.as_str());
        [name].into_iter().chain(self.files.iter().map(one)).collect()
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        let mut tree = Tree::new();
        for (path, file) in &self.files {
            tree.insert(path.clone(), Entry::file(file.mode, file.content.as_bytes()));
        }
        Ok(tree)
    }
}
