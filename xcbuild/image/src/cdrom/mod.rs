//! The ISO with a cluster's overlays.
//!
//! ```text
//! tree layout                         tar layout (the contract's)
//! 00network-topology/etc/init.d/…     00network-topology.tar
//! 01iptools/usr/sbin/iptables         01iptools.tar
//! script                              script               --script=FILE
//! user-data, meta-data …              user-data …          --cidata=DIR
//! attributes                          attributes           where layers have extended attributes
//! ```
//!
//! No ISO holds extended attributes, and the nodes' tar unpacks none: `attributes` is a list for
//! `setfattr --restore`, which a node applies before it runs anything of overlays.
//!
//! Rock Ridge and Joliet; the volume id is `xcluster` unless it is set, by which a node finds it.
//! In the tree layout a node stacks the directories by overlayfs: there `/bin`, `/lib` and `/sbin`
//! are links into `/usr`, which a directory of that name would hide, so layers are usr-merged.
//!
//! The key of an ISO:
//!
//! | part | why |
//! |---|---|
//! | [`FORMAT`], the tool's version | the writer's bytes |
//! | label, layout | |
//! | name and digest of each layer, in order | the name is in the ISO |
//! | digest of `script` | |
//! | names, kinds and digests in the cidata directory | |
//!
//! Its contents are ranges of the layers' tars in the store: nothing is unpacked on the way.

use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use xc_iso::{Image, Joliet};

use xc_report::timeline::span;
use xc_store::key::{Digest, Key, KeyBuilder};
use xc_store::store::{Action, BlobRef, Store};
use xc_store::tree::{
    self, AttributeList, Blob, Content, Entry, Kind, Modes, TIMESTAMP, Tree, TreePath, add_to_iso,
    from_directory,
};

/// Raised when the same key gives different bytes.
const FORMAT: u64 = 4;
/// The blob of the action.
const ISO: &str = "iso";
/// The list of extended attributes that a node sets.
const ATTRIBUTES: &str = "attributes";
/// `NN` in the names has two digits, and nodes go by the order of names.
const LAYERS_MAX: usize = 100;
/// The volume id by which nodes find the ISO.
pub const LABEL: &str = "xcluster";
/// The volume id by which cloud-init finds an ISO.
pub const CIDATA_LABEL: &str = "cidata";

/// How overlays lie in the ISO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// A directory for each, to be stacked.
    #[default]
    Tree,
    /// A tar for each, to be unpacked.
    Tar,
}

/// What the ISO has besides overlays.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// The volume id, where the user sets one.
    pub label: Option<&'a str>,
    /// How overlays lie in it.
    pub layout: Layout,
    /// A file that becomes `script`.
    pub script: Option<&'a Path>,
    /// A directory whose content goes to the top, for cloud-init.
    pub cidata: Option<&'a Path>,
}

impl Options<'_> {
    fn label(&self) -> &str {
        self.label.unwrap_or(if self.cidata.is_some() { CIDATA_LABEL } else { LABEL })
    }
}

/// A layer and its overlay's name.
#[derive(Debug, Clone)]
pub struct NamedLayer {
    /// The overlay's name.
    pub name: String,
    /// Its tar in the store.
    pub blob: BlobRef,
}

/// An ISO in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cdrom {
    /// The ISO.
    pub blob: BlobRef,
    /// Whether it was there already.
    pub cached: bool,
}

/// Gives the ISO of those layers, from the store or written.
///
/// # Errors
/// More overlays than there are numbers; a file that can't be read; what no ISO can hold.
pub fn build(layers: &[NamedLayer], options: &Options<'_>, store: &Store) -> Result<Cdrom> {
    if layers.len() > LAYERS_MAX {
        bail!("{} overlays: an ISO takes {LAYERS_MAX} at most", layers.len());
    }
    let extras = extras(options)?;
    let key = key(layers, options, &extras)?;
    let build = || {
        let _span = span("iso", "build");
        Ok(Action::of_blob(ISO, write(layers, options, &extras, store)?))
    };
    let (action, outcome) = store.get_or_build(&key, &[ISO], build)?;
    Ok(Cdrom { blob: action.blob(ISO)?, cached: outcome.is_cached() })
}

/// What goes to the top of the ISO.
fn extras(options: &Options<'_>) -> Result<Tree> {
    let mut extras = match options.cidata {
        Some(directory) => from_directory(directory, Modes::Checkout)
            .with_context(|| format!("--cidata={}", directory.display()))?,
        None => Tree::new(),
    };
    if let Some(script) = options.script {
        let asked = || format!("--script={}", script.display());
        let text = fs::read(script).with_context(asked)?;
        extras.insert(TreePath::new("script")?, Entry::file(0o755, text));
    }
    Ok(extras)
}

fn key(layers: &[NamedLayer], options: &Options<'_>, extras: &Tree) -> Result<Key> {
    let layout = match options.layout {
        Layout::Tree => "tree",
        Layout::Tar => "tar",
    };
    let mut key = KeyBuilder::new("cdrom")
        .number("format", FORMAT)
        .text("tool", env!("CARGO_PKG_VERSION"))
        .number("iso", xc_iso::FORMAT.into())
        .text("label", options.label())
        .text("layout", layout);
    for layer in layers {
        key = key.text("layer", &layer.name).digest("digest", &layer.blob.digest);
    }
    for (path, entry) in extras.iter() {
        key = key.bytes("path", path.as_bytes()).number("mode", entry.mode.into());
        key = match &entry.kind {
            Kind::File(content) => key.digest("file", &Digest::of_reader(content.reader()?)?.0),
            other => key.text("kind", &format!("{other:?}")),
        };
    }
    Ok(key.finish())
}

fn write(
    layers: &[NamedLayer],
    options: &Options<'_>,
    extras: &Tree,
    store: &Store,
) -> Result<BlobRef> {
    let mut image = Image::new(xc_iso::Options {
        volume_id: options.label().into(),
        timestamp: TIMESTAMP.cast_signed(),
        joliet: Joliet::Long,
        ..xc_iso::Options::default()
    });
    let mut attributes = AttributeList::default();
    for (number, layer) in layers.iter().enumerate() {
        let missing = || format!("the layer of `{}` went missing from the store", layer.name);
        let path = store.blob(&layer.blob.digest)?.with_context(missing)?;
        let name = format!("{number:02}{}", layer.name);
        let merged = tree::usr_merge(tree::from_tar(&Blob::open(&path)?)?)?.tree;
        attributes.add(&merged);
        match options.layout {
            Layout::Tree => add_to_iso(&merged, &mut image, &TreePath::new(name)?)?,
            Layout::Tar => {
                let content = Content::Path { path, len: layer.blob.size };
                let mut tree = Tree::new();
                let entry = Entry::new(0o644, Kind::File(content));
                tree.insert(TreePath::new(format!("{name}.tar"))?, entry);
                add_to_iso(&tree, &mut image, &TreePath::root())?;
            }
        }
    }
    add_to_iso(extras, &mut image, &TreePath::root())?;
    if let Some(text) = attributes.text() {
        let mut tree = Tree::new();
        tree.insert(TreePath::new(ATTRIBUTES)?, Entry::file(0o644, text));
        add_to_iso(&tree, &mut image, &TreePath::root())?;
    }
    let file = store.temporary()?;
    {
        let _span = span("iso", "write");
        image
            .write_to_file(file.as_file())
            .with_context(|| format!("can't write the ISO into the store `{}`", store.layout()))?;
    }
    store.adopt(file)
}

#[cfg(test)]
mod tests;
