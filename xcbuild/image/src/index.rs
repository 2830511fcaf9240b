//! The lists that programs read in place of directories: `modules.dep` and its like, which depmod
//! makes, and `ld.so.cache`, which ldconfig makes.
//!
//! An overlay that brings kernel modules, or libraries outside the usual directories, changes them for
//! the whole tree. In the tree layout of a cdrom one more layer has the lists of base image and
//! overlays together, made here by the base image's own tools, so that no node pays for them:
//!
//! ```text
//! usr/lib/xcbuild/index     "<id of the base image> modules libraries": what the lists are for
//! usr/lib/modules/V/modules.*, etc/ld.so.cache
//! ```
//!
//! A node whose base image has another id ([`ID`]), or which unpacks tars, makes the lists itself.
//! References: depmod(8), ldconfig(8).

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use xc_iso::read::Reader;

use crate::base::foreign::{LIBRARIES, Sandbox};
use crate::extend::with_layers;
use xc_report::timeline::span;
use xc_store::key::{Digest, KeyBuilder};
use xc_store::store::{Action, BlobRef, Store};
use xc_store::tree::{self, Blob, Entry, Kind, Tree, TreePath};

/// Where a base image says which it is.
pub(crate) const ID: &str = "usr/lib/xcbuild/id";
/// Where a layer says what its lists are for.
const INDEX: &str = "usr/lib/xcbuild/index";
/// Where the kernels' modules are, a directory each.
pub(crate) const MODULES: &str = "usr/lib/modules";
/// The program behind depmod, modprobe and their like.
const KMOD: &str = "usr/bin/kmod";
/// Makes the list of libraries; statically linked.
const LDCONFIG: &str = "usr/sbin/ldconfig";
/// What that reads and writes.
const LD_CONFIGURATION: &[&str] = &["etc/ld.so.conf", "etc/ld.so.conf.d"];
const LD_CACHE: &str = "etc/ld.so.cache";
/// Directories that programs look into only by the list.
const LISTED_LIBRARIES: &str = "usr/local/lib";
/// Raised when other lists come of the same layers.
const FORMAT: u64 = 1;
/// The blob of the action that has a layer.
const LAYER: &str = "layer";

/// What of the lists has to be made again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Needs {
    /// The kernels that got modules, as `uname -r` says them.
    modules: BTreeSet<String>,
    /// Whether libraries came to where only the list leads.
    libraries: bool,
}

impl Needs {
    /// What a tree that is put on another changes.
    fn of(layer: &Tree) -> Result<Self> {
        let mut needs = Self::default();
        let (modules, local) = (TreePath::new(MODULES)?, TreePath::new(LISTED_LIBRARIES)?);
        let configuration: Vec<TreePath> =
            LD_CONFIGURATION.iter().map(TreePath::new).collect::<Result<_, _>>()?;
        for (path, _) in layer.iter().filter(|(_, entry)| !entry.is_directory()) {
            let name = String::from_utf8_lossy(path.name()).into_owned();
            if path.is_below(&modules) && name.contains(".ko") {
                let kernel = path.parts().nth(3).unwrap_or_default();
                needs.modules.insert(String::from_utf8_lossy(kernel).into_owned());
            }
            let configures = configuration.iter().any(|top| path == top || path.is_below(top));
            needs.libraries |= configures || (path.is_below(&local) && name.contains(".so"));
        }
        Ok(needs)
    }

    fn words(&self) -> String {
        let modules = if self.modules.is_empty() { "" } else { " modules" };
        let libraries = if self.libraries { " libraries" } else { "" };
        format!("{modules}{libraries}")
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The layer with the lists of a base image and layers on it; `None` where they change none. `base` is
/// the image that nodes will most likely start from, if it is there already.
///
/// # Errors
/// When a layer went missing, or a tool fails on what overlays brought.
pub fn layer(base: &Path, layers: &[BlobRef], store: &Store) -> Result<Option<BlobRef>> {
    let Some(needs) = needs(layers, store)? else { return Ok(None) };
    // Of an image in another form, or none, nodes make the lists themselves.
    let id = id_of(base).unwrap_or_default();
    let mut key = KeyBuilder::new("index").number("format", FORMAT).text("base", &id);
    for layer in layers {
        key = key.digest("layer", &layer.digest);
    }
    let build = || {
        let _span = span("step", "index of modules and libraries");
        let mut lists = Tree::new();
        if !id.is_empty() {
            let mut whole = tree::from_iso(&Blob::open(base)?)?;
            with_layers(&mut whole, layers, store)?;
            lists = make(&whole, &needs, store)?;
        }
        let id = if id.is_empty() { "unknown" } else { &id };
        let text = format!("{id}{}\n", needs.words());
        lists.insert(TreePath::new(INDEX)?, Entry::file(0o644, text));
        let mut writer = store.writer()?;
        tree::write_tar(&lists, &mut writer)?;
        Ok(Action::of_blob(LAYER, writer.commit()?))
    };
    let (action, _) = store.get_or_build(&key.finish(), &[LAYER], build)?;
    action.blob(LAYER).map(Some)
}

/// What the layers change; from a record, since reading them all takes longer than the rest.
fn needs(layers: &[BlobRef], store: &Store) -> Result<Option<Needs>> {
    let mut key = KeyBuilder::new("index-needs").number("format", FORMAT);
    for layer in layers {
        key = key.digest("layer", &layer.digest);
    }
    let build = || {
        let mut whole = Tree::new();
        with_layers(&mut whole, layers, store)?;
        let needs = Needs::of(&whole)?;
        let modules = needs.modules.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let libraries = if needs.libraries { "yes" } else { "" };
        Ok(Action::default().with_fact("modules", modules).with_fact("libraries", libraries))
    };
    let (action, _) = store.get_or_build(&key.finish(), &[], build)?;
    let fact = |name: &str| action.facts.get(name).map(String::as_str).unwrap_or_default();
    let modules = fact("modules").split_whitespace().map(str::to_owned).collect();
    let needs = Needs { modules, libraries: !fact("libraries").is_empty() };
    Ok((!needs.is_empty()).then_some(needs))
}

/// Makes the lists of a base image's tree again where layers have changed them, or where a script may
/// have, and gives the tree an id of its own: lists for what it was are not for what it is.
///
/// # Errors
/// When a layer went missing, or a tool fails on what is there.
pub fn refresh(
    root: &mut Tree,
    layers: &[BlobRef],
    script: Option<&Path>,
    store: &Store,
) -> Result<()> {
    let needs = match script {
        Some(_) => Some(Needs::of(root)?),
        None => needs(layers, store)?,
    };
    if let Some(needs) = needs {
        let lists = make(root, &needs, store)?;
        tree::merge(root, lists)?;
    }
    let path = TreePath::new(ID)?;
    let mut id = KeyBuilder::new("extended-image");
    if let Some(Kind::File(content)) = root.get(&path).map(|entry| &entry.kind) {
        id = id.digest("of", &Digest::of_reader(content.reader()?)?.0);
    }
    for layer in layers {
        id = id.digest("layer", &layer.digest);
    }
    if let Some(script) = script {
        id = id.bytes("script", &fs::read(script)?);
    }
    root.insert(path, Entry::file(0o644, format!("{}\n", id.finish())));
    Ok(())
}

/// The id of a base image, if it is an ISO that says one.
fn id_of(base: &Path) -> Option<String> {
    let reader = Reader::open(fs::File::open(base).ok()?.into_parts().0).ok()?;
    let mut content = reader.content(reader.find(ID)?).ok()?;
    std::io::read_to_string(&mut content).ok().map(|text| text.trim().to_owned())
}

fn make(tree: &Tree, needs: &Needs, store: &Store) -> Result<Tree> {
    let mut lists = Tree::new();
    for kernel in &needs.modules {
        tree::merge(&mut lists, modules(tree, kernel, store)?)?;
    }
    if needs.libraries {
        tree::merge(&mut lists, libraries(tree, store)?)?;
    }
    Ok(lists)
}

/// depmod: `modules.dep` and the other lists of a kernel's modules.
///
/// # Errors
/// When the tree lacks kmod, or that fails.
pub(crate) fn modules(tree: &Tree, kernel: &str, store: &Store) -> Result<Tree> {
    let directory = format!("{MODULES}/{kernel}");
    let sandbox = Sandbox::new(store.work_directory()?, tree, &[KMOD, &directory])?;
    sandbox
        .program(KMOD, "depmod")
        .arg("--basedir")
        .arg(sandbox.path(""))
        .arg(kernel)
        .output()
        .with_context(|| format!("can't list the modules of the kernel {kernel}"))?;
    let mut lists = Tree::new();
    for entry in fs::read_dir(sandbox.path(&directory))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("modules.") {
            let path = TreePath::new(format!("{directory}/{name}"))?;
            lists.insert(path, Entry::file(0o644, fs::read(entry.path())?));
        }
    }
    Ok(lists)
}

/// ldconfig: where the libraries are, and the links by which programs know them.
///
/// # Errors
/// When the tree lacks ldconfig, or that fails.
pub(crate) fn libraries(tree: &Tree, store: &Store) -> Result<Tree> {
    let directories = library_directories(tree)?;
    let mut parts = vec![LDCONFIG];
    parts.extend(LD_CONFIGURATION.iter().filter(|path| is_there(tree, path)));
    parts.extend(directories.iter().map(String::as_str));
    let sandbox = Sandbox::new(store.work_directory()?, tree, &parts)?;
    xc_sys::exec::Exec::new(sandbox.path(LDCONFIG))
        .arg("-r")
        .arg(sandbox.path(""))
        .env_clear()
        .output()
        .context("can't list the libraries")?;
    let mut lists = Tree::new();
    for directory in directories.iter().map(String::as_str).chain([LIBRARIES]) {
        add_new_links(&mut lists, tree, &sandbox, directory)?;
    }
    let cache = fs::read(sandbox.path(LD_CACHE))?;
    lists.insert(TreePath::new(LD_CACHE)?, Entry::file(0o644, cache));
    Ok(lists)
}

/// The links that ldconfig has made in a directory.
fn add_new_links(lists: &mut Tree, tree: &Tree, sandbox: &Sandbox, directory: &str) -> Result<()> {
    for entry in fs::read_dir(sandbox.path(directory))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = TreePath::new(format!("{directory}/{name}"))?;
        if entry.file_type()?.is_symlink() && tree.get(&path).is_none() {
            let target = fs::read_link(entry.path())?;
            lists.insert(path, Entry::symlink(target.as_os_str().as_encoded_bytes()));
        }
    }
    Ok(())
}

/// The directories that ld.so.conf and its parts name, as far as they are there, apart from those that
/// every sandbox has.
fn library_directories(tree: &Tree) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let files = LD_CONFIGURATION.iter().map(TreePath::new).collect::<Result<Vec<_>, _>>()?;
    for file in &files {
        let with_parts = tree.get(file).map(|entry| (file, entry)).into_iter();
        for (_, entry) in with_parts.chain(tree.below(file)) {
            let Kind::File(content) = &entry.kind else { continue };
            let text = std::io::read_to_string(&mut content.reader()?).unwrap_or_default();
            found.extend(text.lines().filter_map(directory_of));
        }
    }
    found.retain(|path| {
        let path = TreePath::new(path);
        path.is_ok_and(|path| tree.get(&path).is_some_and(Entry::is_directory))
    });
    Ok(found)
}

/// The directory of a line of ld.so.conf, usr-merged and relative.
fn directory_of(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let path = line.strip_prefix('/')?.trim_end_matches('/');
    let merged = ["lib", "lib64", "lib32", "libx32"].iter().any(|top| {
        path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let path = if merged { format!("usr/{path}") } else { path.to_owned() };
    (path != LIBRARIES && !path.is_empty()).then_some(path)
}

fn is_there(tree: &Tree, path: &str) -> bool {
    TreePath::new(path).is_ok_and(|path| tree.get(&path).is_some())
}

#[cfg(test)]
mod tests {
    use super::{Needs, directory_of, library_directories};
    use xc_store::tree::{Entry, Tree, TreePath};

    fn tree(paths: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        for (path, text) in paths {
            tree.insert(TreePath::new(path).unwrap(), Entry::file(0o644, *text));
        }
        tree
    }

    #[test]
    fn only_modules_and_libraries_off_the_usual_paths_need_lists() {
        for (path, words) in [
            ("usr/lib/modules/6.1/extra/x.ko", " modules"),
            ("usr/lib/modules/6.1/extra/x.ko.xz", " modules"),
            ("usr/lib/modules/6.1/modules.dep", ""),
            ("usr/lib/x86_64-linux-gnu/libx.so.1", ""),
            ("usr/local/lib/libx.so.1", " libraries"),
            ("usr/local/lib/python/x.py", ""),
            ("etc/ld.so.conf.d/x.conf", " libraries"),
            ("etc/ld.so.conf", " libraries"),
        ] {
            assert_eq!(Needs::of(&tree(&[(path, "")])).unwrap().words(), words, "{path}");
        }
        let both = tree(&[("usr/lib/modules/6.1/x.ko", ""), ("usr/local/lib/x.so", "")]);
        assert_eq!(Needs::of(&both).unwrap().words(), " modules libraries");
    }

    #[test]
    fn lines_of_the_configuration_name_directories() {
        for (line, directory) in [
            ("/opt/x/lib", Some("opt/x/lib")),
            ("  /lib/x/ # why", Some("usr/lib/x")),
            ("/lib64", Some("usr/lib64")),
            ("/lib/x86_64-linux-gnu", None),
            ("include /etc/ld.so.conf.d/*.conf", None),
            ("# no", None),
            ("/", None),
        ] {
            assert_eq!(directory_of(line).as_deref(), directory, "{line}");
        }
        let tree = tree(&[
            ("etc/ld.so.conf", "include x\n/opt/gone\n"),
            ("etc/ld.so.conf.d/a.conf", "/opt/a\n"),
            ("opt/a/liba.so", ""),
        ]);
        let found: Vec<_> = library_directories(&tree).unwrap().into_iter().collect();
        assert_eq!(found, ["opt/a"]);
    }
}
