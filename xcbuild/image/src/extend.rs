//! A root tree extended with overlays, and by a script that is run in it.
//!
//! The script is run in a namespace of its own where the tree is the root and the caller is root, so
//! that no privileges are needed and the host sees nothing of it. Owners that the tree has are kept;
//! what the script makes is root's.

use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use xc_store::store::{BlobRef, Store};
use xc_store::tree::{
    self, AttributeList, Blob, Entry, Kind, Modes, Tree, TreePath, from_directory,
};
use xc_sys::exec::Exec;

/// The script's name while it runs.
const SCRIPT: &str = ".xcbuild-script";
/// Runs the script: `$0` is the tree's directory.
const RUN: &str = r#"mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" &&
exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root /bin/sh /.xcbuild-script"#;

/// The extended attributes of layers, which a node sets: no ISO holds them.
const ATTRIBUTES: &str = "usr/lib/xcbuild/attributes.base";

/// Puts layers on a tree, later over earlier.
///
/// # Errors
/// When a layer went missing from the store, or can't be read.
pub fn with_layers(root: &mut Tree, layers: &[BlobRef], store: &Store) -> Result<()> {
    let mut attributes = AttributeList::default();
    for layer in layers {
        let path = store.blob(&layer.digest)?.context("a layer went missing from the store")?;
        let layer = tree::usr_merge(tree::from_tar(&Blob::open(&path)?)?)?.tree;
        attributes.add(&layer);
        tree::merge(root, layer)?;
    }
    if let Some(text) = attributes.text() {
        root.insert(TreePath::new(ATTRIBUTES)?, Entry::file(0o644, text));
    }
    Ok(())
}

/// Runs a script in a tree, and gives the tree as it is then. `work` is a directory for it; the
/// result's contents are there.
///
/// # Errors
/// When the script fails, or this host lets no user have namespaces.
pub fn with_script(root: Tree, script: &Path, work: &Path) -> Result<Tree> {
    let script = fs::read(script)?;
    let directory = work.join("root");
    fs::create_dir(&directory)?;
    let (devices, files): (Vec<_>, Vec<_>) = root
        .into_iter()
        .partition(|(_, entry)| matches!(entry.kind, Kind::Device { .. } | Kind::Fifo));
    let mut before = Tree::new();
    files.into_iter().for_each(|(path, entry)| before.insert(path, entry));
    unpack(&before, &directory)?;
    fs::write(directory.join(SCRIPT), script)?;
    run(&directory)?;
    fs::remove_file(directory.join(SCRIPT))?;
    let mut after = from_directory(&directory, Modes::Kept)?;
    for (path, entry) in before.iter() {
        if let Some(now) = after.get_mut(path) {
            (now.uid, now.gid) = (entry.uid, entry.gid);
        }
    }
    devices.into_iter().for_each(|(path, entry)| after.insert(path, entry));
    Ok(after)
}

fn run(directory: &Path) -> Result<()> {
    let flags = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"];
    let flags = if rustix::process::getuid().is_root() { &flags[2..] } else { &flags[..] };
    let done = Exec::new("unshare").args(flags).args(["sh", "-c", RUN]).arg(directory).output();
    match done {
        Ok(said) => {
            tracing::debug!(said = %String::from_utf8_lossy(&said), "script of the image");
            Ok(())
        }
        Err(e) if e.stderr().contains("unshare") => {
            Err(e).context("the script needs a namespace of its own, which this host does not give")
        }
        Err(e) => Err(e).context("the script failed in the image"),
    }
}

/// Writes a tree to disk by the host's tar, which keeps modes and hard links.
fn unpack(tree: &Tree, directory: &Path) -> Result<()> {
    let tar = directory.with_extension("tar");
    let mut file = fs::File::create(&tar)?;
    tree::write_tar(tree, &mut file)?;
    drop(file);
    let exec = Exec::new("tar").args(["-x", "-p", "--no-same-owner", "-C"]).arg(directory);
    exec.arg("-f").arg(&tar).output().context("can't unpack the image's root tree")?;
    fs::remove_file(tar)?;
    let path = TreePath::new("dev")?;
    if tree.get(&path).is_none_or(|e| !e.is_directory()) {
        bail!("the image has no directory `/dev`");
    }
    Ok(())
}
