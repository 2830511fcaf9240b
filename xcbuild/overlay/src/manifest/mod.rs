//! `ovl.toml`: what an overlay puts into a node, declared.
//!
//! Only the text is looked at here, no other file: a manifest that parses says what it wants
//! without contradicting itself, and whether the machine has it is found out later. Everything is
//! strict, since a field that is misspelt and ignored is an overlay that lacks something in a node.
//! Errors carry file and line, and the name that was probably meant.
//!
//! The order in which a recipe applies the fields, later over earlier, is that of [`Manifest`]:
//! packages, archives, programs, script, trees, topologies, files, links, alternatives, devices,
//! modules, attributes. `docs/overlays.md` explains each to authors.

mod capabilities;
mod check;
pub mod template;
pub mod test;
mod values;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub use test::Test;
pub use values::{Capabilities, Identifier, LocalPath, Mode, NodePath, Owner, Sha256};

use xc_report::suggest::did_you_mean;

/// The file's name in an overlay's directory.
pub const FILE_NAME: &str = "ovl.toml";

/// What is wrong with a manifest, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct ManifestError {
    /// The manifest, as the caller named it.
    pub file: String,
    /// The line of what is wrong, from 1.
    pub line: usize,
    /// What it is, and what would be right.
    pub message: String,
}

/// An overlay's declaration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What the overlay is for, in one line.
    pub description: String,
    /// Overlays that have to come before this one; they are added if they are not named.
    #[serde(default)]
    pub needs: Vec<Identifier>,
    /// Overlays that can't be in the same ISO.
    #[serde(default)]
    pub conflicts: Vec<Identifier>,
    /// The topology that the overlay is made for, where it is not for any.
    pub topology: Option<Identifier>,
    /// How a node shows that the overlay works.
    pub test: Option<Spanned<Test>>,
    /// The variables that templates and trees may name, each with the value it has when unset.
    #[serde(default)]
    pub variables: BTreeMap<Spanned<String>, String>,
    /// Debian packages, with all they depend on and the base image lacks.
    #[serde(default)]
    pub packages: Vec<Identifier>,
    /// Packages that count as installed though a node does without them.
    #[serde(default)]
    pub without: Vec<Identifier>,
    /// What is left out of packages and archives: paths, with all below them.
    #[serde(default)]
    pub leave_out: Vec<NodePath>,
    /// Archives from `$ARCHIVE` that are unpacked.
    #[serde(default, rename = "archive")]
    pub archives: Vec<Archive>,
    /// Programs of the host, with the shared libraries they need.
    #[serde(default)]
    pub programs: Vec<Identifier>,
    /// A program in the overlay that makes files.
    pub script: Option<Script>,
    /// Directories whose content is put on `/`, in this order; see [`Manifest::trees`].
    trees: Option<Vec<Spanned<String>>>,
    /// A directory of topology files, to be turned into what nodes read at start.
    pub topologies: Option<LocalPath>,
    /// Files written in place.
    #[serde(default, rename = "file")]
    pub files: Vec<File>,
    /// Symbolic links: where, and the text of each.
    #[serde(default)]
    pub links: BTreeMap<NodePath, String>,
    /// Links as Debian's `update-alternatives` makes them: the name, and what it stands for.
    #[serde(default)]
    pub alternatives: BTreeMap<NodePath, NodePath>,
    /// Device files.
    #[serde(default, rename = "device")]
    pub devices: Vec<Device>,
    /// Kernel modules that a node loads at start.
    #[serde(default)]
    pub modules: Vec<Identifier>,
    /// Modes and owners of what the fields above gave.
    #[serde(default)]
    pub attributes: BTreeMap<NodePath, Attributes>,
}

/// `[[archive]]`: a file of `$ARCHIVE`, unpacked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Its name in `$ARCHIVE`.
    pub name: LocalPath,
    /// Its digest: another file of the same name is refused.
    pub sha256: Sha256,
    /// Where it is unpacked.
    #[serde(default = "node_root")]
    pub to: NodePath,
    /// How many leading parts of its paths are dropped.
    #[serde(default)]
    pub strip: usize,
    /// What is taken of it (paths after `strip`, with all below them); everything if empty.
    #[serde(default)]
    pub only: Vec<LocalPath>,
}

/// `[script]`: a program of the overlay that makes files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The program, in the overlay's directory. It is called with the directory that it fills.
    pub run: LocalPath,
    /// The files and directories of the overlay that it reads.
    #[serde(default)]
    pub inputs: Vec<LocalPath>,
    /// The host programs that it needs.
    #[serde(default)]
    pub programs: Vec<Identifier>,
    /// The declared variables that it gets.
    #[serde(default)]
    pub variables: Vec<Spanned<String>>,
}

/// `[[file]]`: a file written in place. It has exactly one of `text`, `template`, `from`, `host`,
/// `exports` and `joined`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it is in a node.
    pub path: Spanned<NodePath>,
    /// Its content as it stands.
    pub text: Option<String>,
    /// Its content, with `${NAME}` for the values of variables.
    pub template: Option<Spanned<String>>,
    /// A template in a file of the overlay.
    pub from: Option<LocalPath>,
    /// A file of the host, by its absolute path, `${NAME}` for the values of variables.
    pub host: Option<Spanned<String>>,
    /// Shell assignments of these variables, as far as they are set. `xcluster_*` stands for all
    /// that begin so, and they lose what is before the `*`.
    pub exports: Option<Vec<String>>,
    /// The contents of all files below these directories of the node, one after the other: what
    /// packages' scripts do for certificates.
    pub joined: Option<Vec<NodePath>>,
    /// Its permission bits.
    #[serde(default = "file_mode")]
    pub mode: Mode,
    /// Its owner.
    #[serde(default = "root")]
    pub owner: Owner,
}

/// `[[device]]`: a device file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Where it is in a node.
    pub path: NodePath,
    /// Whether it is a `block` or a `char` device.
    pub kind: DeviceKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Its permission bits.
    #[serde(default = "device_mode")]
    pub mode: Mode,
    /// Its owner.
    #[serde(default = "root")]
    pub owner: Owner,
}

/// The kinds of device files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// A block device.
    Block,
    /// A character device.
    Char,
}

/// `[attributes]`: what a path's entry is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attributes {
    /// Permission bits.
    pub mode: Option<Mode>,
    /// Owner.
    pub owner: Option<Owner>,
    /// File capabilities.
    pub capabilities: Option<Capabilities>,
}

/// A directory of the overlay whose content is put on `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeName<'a> {
    /// Its path in the overlay. `${NAME}` stands for each of the variable's comma-separated values.
    pub template: &'a str,
    /// Whether it may be missing.
    pub optional: bool,
}

impl Manifest {
    /// The directories whose content is put on `/`, later over earlier.
    ///
    /// Those with a variable may be missing, since its values are meant for other overlays too. So
    /// may `default` where the manifest doesn't name it: an overlay may be packages alone.
    pub fn trees(&self) -> Vec<TreeName<'_>> {
        match &self.trees {
            None => ["default", "${SETUP}"]
                .map(|template| TreeName { template, optional: true })
                .to_vec(),
            Some(trees) => trees.iter().map(|t| t.get_ref().as_str()).map(TreeName::new).collect(),
        }
    }
}

impl<'a> TreeName<'a> {
    fn new(template: &'a str) -> Self {
        Self { template, optional: template::variables(template).next().is_some() }
    }
}

fn node_root() -> NodePath {
    NodePath(xc_store::tree::TreePath::root())
}

fn root() -> Owner {
    Owner { uid: 0, gid: 0 }
}

fn file_mode() -> Mode {
    Mode(0o644)
}

fn device_mode() -> Mode {
    Mode(0o600)
}

/// Reads a manifest. `file` is for messages.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn parse(file: &str, text: &str) -> Result<Manifest, ManifestError> {
    let at = |place: usize, message: String| ManifestError {
        file: file.to_owned(),
        line: line_of(text, place),
        message,
    };
    let manifest: Manifest = toml::from_str(text).map_err(|e| {
        let message = e.message().to_owned() + &hint(e.message());
        at(e.span().map_or(0, |s| s.start), message)
    })?;
    match check::first_problem(&manifest) {
        None => Ok(manifest),
        Some(problem) => Err(at(problem.place, problem.message)),
    }
}

fn line_of(text: &str, place: usize) -> usize {
    1 + text.bytes().take(place).filter(|b| *b == b'\n').count()
}

/// For serde's message on an unknown name, which lists the known ones in backquotes.
fn hint(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    match names.next() {
        Some(unknown) if message.starts_with("unknown ") => did_you_mean(unknown, names),
        _ => String::new(),
    }
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
