//! The base image: what every node starts from, made of Debian packages without root, mount or
//! loop device.
//!
//! | result | what it is |
//! |---|---|
//! | kernel | Debian's cloud kernel, or the user's |
//! | initramfs | finds the ISOs and stacks them, see `initramfs` |
//! | ISO, volume id `xcbase` | the root tree with all modules, read-only, shared by all nodes |
//! | files | the paths of the root tree, a line each: what overlays need not bring |
//!
//! The way: three sets of packages (`contents`) → trees → skeleton and programs on top → lists of
//! modules and libraries by the tree's own tools (`foreign`) → the three files in the store, under
//! a key of all that went in. Equal inputs give equal bytes.
//!
//! It knows nothing of nodes: names, networks and addresses come when one boots.

mod applets;
mod contents;
mod cpio;
pub(crate) mod foreign;
mod initramfs;
mod kernel;
mod modules;
mod root;
mod skeleton;
mod tools;

use std::path::PathBuf;

use anyhow::{Context, Result};

pub use kernel::KernelSource;

use self::kernel::Kernel;
use super::debian::{PackageSet, Packages, Request, merged_tree};
use crate::index;
use xc_store::key::{Digest, Key, KeyBuilder};
use xc_store::store::{Action, BlobRef, Store};
use xc_store::tree::{self, Content, Entry, Kind, Tree, TreePath};

/// The volume id by which a node finds the image.
pub const VOLUME_ID: &str = "xcbase";
/// Raised when the way from inputs to image changes.
const FORMAT: u64 = 2;
/// The blobs of the action.
const BLOBS: [&str; 4] = ["files", "initramfs", "iso", "kernel"];

/// A program of ours that goes into the root tree.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Where, relative to the root.
    pub path: &'a str,
    /// The executable.
    pub bytes: &'a [u8],
}

/// What a base image is made of besides the packages.
#[derive(Debug, Clone, Default)]
pub struct Recipe<'a> {
    /// The kernel.
    pub kernel: KernelSource,
    /// Our own programs.
    pub programs: &'a [Program<'a>],
}

/// A base image that is ready to start nodes from.
#[derive(Debug, Clone)]
pub struct BaseImage {
    /// The kernel's file.
    pub kernel: PathBuf,
    /// The initramfs's file.
    pub initramfs: PathBuf,
    /// The ISO's file.
    pub iso: PathBuf,
    /// The file that lists the root tree's paths.
    pub files: PathBuf,
    /// What `uname -r` says in a node.
    pub kernel_version: String,
    /// The packages of the root tree: what overlays' packages are resolved over.
    pub packages: PackageSet,
    /// Whether it was in the store already.
    pub cached: bool,
}

/// Gives the base image, from the store or built.
///
/// # Errors
/// Packages that are not available (see [`Packages`]); a kernel that lacks what a node needs; a store
/// that can't be written.
pub fn build(recipe: &Recipe<'_>, packages: &Packages<'_>) -> Result<BaseImage> {
    let store = packages.store();
    let sets = Sets::resolve(recipe, packages)?;
    let own = match &recipe.kernel {
        KernelSource::Debian => None,
        KernelSource::Own { image, version, modules } => {
            Some(kernel::own(image, version, modules.as_ref())?)
        }
    };
    let key = key(recipe, &sets, own.as_ref())?;
    let build = || {
        store.reporter().status("Building", "the base image");
        let kernel = match own {
            Some(kernel) => kernel,
            None => kernel::from_package(&merged_tree(packages, &sets.kernel)?)?,
        };
        make(recipe, packages, &sets, kernel, &key)
    };
    let (action, outcome) = store.get_or_build(&key, &BLOBS, build)?;
    found(store, &action, sets.root, outcome.is_cached())
}

/// The packages of the root tree, which overlays' packages are resolved over.
///
/// # Errors
/// Those of [`Packages::resolve`].
pub fn root_packages(packages: &Packages<'_>) -> Result<PackageSet> {
    let (wants, without) = (contents::names(contents::ROOT), not_installed());
    packages.resolve(&Request { wants: &wants, without: &without, over: None })
}

/// The packages that fill what busybox lacks, over those of the root tree.
fn tools(packages: &Packages<'_>, root: &PackageSet) -> Result<PackageSet> {
    // What is without in the root tree for busybox's sake is wanted here.
    let mut without = not_installed();
    without.retain(|name| !contents::TOOLS.contains(&name.as_str()));
    without.extend(contents::names(contents::WITHOUT_FOR_TOOLS));
    let wants = contents::names(contents::TOOLS);
    // What the root tree's packages provide stands in their files.
    packages.fetch(root)?;
    packages.resolve(&Request { wants: &wants, without: &without, over: Some(root) })
}

/// Packages that count as installed in every node, though nodes do without them.
pub fn not_installed() -> Vec<String> {
    contents::names(contents::WITHOUT)
}

/// The packages of nodes.
struct Sets {
    root: PackageSet,
    tools: PackageSet,
    kernel: PackageSet,
    initramfs: PackageSet,
}

impl Sets {
    fn resolve(recipe: &Recipe<'_>, packages: &Packages<'_>) -> Result<Self> {
        let without = not_installed();
        let resolve = |wants: &[&str], and_without: &[&str]| {
            let without = [without.clone(), contents::names(and_without)].concat();
            let wants = contents::names(wants);
            packages.resolve(&Request { wants: &wants, without: &without, over: None })
        };
        let kernel = match recipe.kernel {
            // kmod is in the root tree.
            KernelSource::Debian => resolve(contents::KERNEL, &["kmod"])?,
            KernelSource::Own { .. } => PackageSet::default(),
        };
        let root = root_packages(packages)?;
        let initramfs = resolve(contents::INITRAMFS, &[])?;
        Ok(Self { tools: tools(packages, &root)?, root, kernel, initramfs })
    }
}

fn key(recipe: &Recipe<'_>, sets: &Sets, own: Option<&Kernel>) -> Result<Key> {
    let mut key = KeyBuilder::new("base-image")
        .number("format", FORMAT)
        .number("iso", xc_iso::FORMAT.into())
        .digest("root", &sets.root.digest())
        .digest("tools", &sets.tools.digest())
        .digest("kernel", &sets.kernel.digest())
        .digest("initramfs", &sets.initramfs.digest())
        .digest("skeleton", &skeleton::digest()?);
    if let Some(own) = own {
        key = key.digest("own kernel", &kernel::own_digest(own)?);
    }
    for program in recipe.programs {
        key = key.text("program", program.path).digest("bytes", &Digest::of(program.bytes));
    }
    Ok(key.finish())
}

fn make(
    recipe: &Recipe<'_>,
    packages: &Packages<'_>,
    sets: &Sets,
    mut kernel: Kernel,
    id: &Key,
) -> Result<Action> {
    let store = packages.store();
    let busybox = static_busybox(&merged_tree(packages, &sets.initramfs)?)?;
    let base = merged_tree(packages, &sets.root)?;
    let tools = merged_tree(packages, &sets.tools)?;
    let mut root = root::assemble(base, tools, &mut kernel, &busybox, recipe.programs, store)?;
    root.insert(TreePath::new(index::ID)?, Entry::file(0o644, format!("{id}\n")));
    let blobs = [
        ("files", store.put(root::listing(&root).as_bytes())?),
        ("initramfs", store.put(&initramfs::archive(&kernel, &busybox)?)?),
        ("iso", write_iso(&root, store)?),
        ("kernel", copy(&kernel.image, store)?),
    ];
    let blobs = blobs.map(|(name, blob)| (name.to_owned(), blob)).into();
    Ok(Action { blobs, ..Action::default() }.with_fact("kernel version", kernel.version))
}

fn static_busybox(tree: &Tree) -> Result<Content> {
    let path = TreePath::new("usr/bin/busybox")?;
    match tree.get(&path).map(|e| &e.kind) {
        Some(Kind::File(content)) => Ok(content.clone()),
        _ => anyhow::bail!("the package busybox-static has no `{path}`"),
    }
}

fn copy(content: &Content, store: &Store) -> Result<BlobRef> {
    let mut writer = store.writer()?;
    std::io::copy(&mut content.reader()?, &mut writer)?;
    writer.commit()
}

fn write_iso(root: &Tree, store: &Store) -> Result<BlobRef> {
    let mut image = xc_iso::Image::new(xc_iso::Options {
        volume_id: VOLUME_ID.into(),
        timestamp: tree::TIMESTAMP.cast_signed(),
        ..xc_iso::Options::default()
    });
    tree::add_to_iso(root, &mut image, &TreePath::root())?;
    let mut writer = store.writer()?;
    image.write(&mut writer)?;
    writer.commit()
}

/// The image that a record of the store describes.
fn found(store: &Store, action: &Action, packages: PackageSet, cached: bool) -> Result<BaseImage> {
    let file = |name: &str| {
        store
            .blob(&action.blob(name)?.digest)?
            .with_context(|| format!("the {name} went missing from the store"))
    };
    Ok(BaseImage {
        kernel: file("kernel")?,
        initramfs: file("initramfs")?,
        iso: file("iso")?,
        files: file("files")?,
        kernel_version: action.facts.get("kernel version").cloned().unwrap_or_default(),
        packages,
        cached,
    })
}
