//! busybox's applets as commands of the root tree.
//!
//! A link is made for each applet that no other package brings as a program, in `usr/bin`, which
//! comes after `usr/sbin` in the nodes' `PATH`: so an overlay's real tool is found first, wherever
//! of the two it lies. A few are called by absolute path and get a link in `usr/sbin`, too.

use anyhow::{Context, Result};

use super::foreign::Sandbox;
use xc_store::tree::{Entry, Tree, TreePath};
use xc_sys::exec::Exec;

/// The root tree's busybox.
pub(super) const BUSYBOX: &str = "usr/bin/busybox";
/// The static one, for the applets that the other lacks.
pub(super) const STATIC: &str = "usr/lib/xcbuild/busybox-static";
/// Applets that scripts call as `/sbin/NAME`.
const IN_SBIN: &[&str] = &["halt", "ifconfig", "init", "poweroff", "reboot", "route", "sysctl"];
/// Applets of the static busybox that would pretend to do what a node without dpkg can't.
const NOT_LINKED: &[&str] = &["busybox", "dpkg", "dpkg-deb"];

/// Adds the links.
///
/// # Errors
/// When one of the two programs doesn't run on this host.
pub(super) fn add(tree: &mut Tree, sandbox: &Sandbox) -> Result<()> {
    let dynamic = sandbox.program(BUSYBOX, "busybox").arg("--list");
    link_all(tree, &listed(dynamic)?, BUSYBOX)?;
    let fixed = Exec::new(sandbox.path(STATIC)).env_clear().arg("--list");
    link_all(tree, &listed(fixed)?, STATIC)
}

fn listed(busybox: Exec) -> Result<Vec<String>> {
    let list = busybox.output().context("can't ask the nodes' busybox for its applets")?;
    Ok(String::from_utf8(list)?.lines().map(str::to_owned).collect())
}

fn link_all(tree: &mut Tree, applets: &[String], busybox: &str) -> Result<()> {
    let is_there = |tree: &Tree, path: &TreePath| tree.get(path).is_some();
    for applet in applets.iter().filter(|a| !NOT_LINKED.contains(&a.as_str())) {
        let in_bin = TreePath::new(format!("usr/bin/{applet}"))?;
        let in_sbin = TreePath::new(format!("usr/sbin/{applet}"))?;
        if is_there(tree, &in_bin) || is_there(tree, &in_sbin) {
            continue;
        }
        let link = Entry::symlink(format!("/{busybox}"));
        if IN_SBIN.contains(&applet.as_str()) {
            tree.insert(in_sbin, link.clone());
        }
        tree.insert(in_bin, link);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::link_all;
    use xc_store::tree::{Entry, Tree, TreePath};

    #[test]
    fn real_programs_stay() {
        let path = |text: &str| TreePath::new(text).unwrap();
        let mut tree = Tree::new();
        tree.insert(path("usr/sbin/ip"), Entry::file(0o755, "real"));
        let applets = ["[", "ip", "init", "dpkg"].map(str::to_owned);
        link_all(&mut tree, &applets, "usr/bin/busybox").unwrap();
        let names: Vec<String> =
            tree.iter().filter(|(_, e)| !e.is_directory()).map(|(p, _)| p.to_string()).collect();
        assert_eq!(names, ["usr/bin/[", "usr/bin/init", "usr/sbin/init", "usr/sbin/ip"]);
    }
}
