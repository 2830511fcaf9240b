//! Programs of Debian packages that fill what busybox lacks.
//!
//! The shell tool's busybox has applets that Debian's lacks (`flock`, `pgrep`, `install` …). The real
//! programs take their places; see [`super::contents::TOOLS`] for why only theirs.

use anyhow::Result;

use xc_store::tree::{Tree, TreePath};

/// Where programs are; a name counts in both.
const PROGRAMS: [&str; 2] = ["usr/bin", "usr/sbin"];
/// What else is taken: libraries and data that programs read, and the licences.
const TAKEN: [&str; 4] = ["etc/services", "usr/lib", "usr/libexec", "usr/share"];
/// What of that no node needs.
const LEFT_OUT: [&str; 5] =
    ["usr/lib/systemd", "usr/lib/tmpfiles.d", "usr/lib/udev", "usr/lib/sysusers.d", "usr/lib/init"];

/// Adds what the tree doesn't have yet: a program under a name that is there already stays out.
///
/// # Errors
/// None that the lists can give.
pub(super) fn add(root: &mut Tree, tools: Tree) -> Result<()> {
    for (path, entry) in tools {
        let wanted = if is_program(&path) {
            is_missing(root, &path)?
        } else {
            root.get(&path).is_none() && is_below(&path, &TAKEN) && !is_below(&path, &LEFT_OUT)
        };
        if wanted && !entry.is_directory() {
            root.insert(path, entry);
        }
    }
    Ok(())
}

fn is_program(path: &TreePath) -> bool {
    let parent = path.parent().map(|parent| parent.to_string());
    parent.is_some_and(|parent| PROGRAMS.contains(&parent.as_str()))
}

fn is_missing(root: &Tree, path: &TreePath) -> Result<bool> {
    let name = TreePath::new(path.name())?;
    for directory in PROGRAMS {
        if root.get(&TreePath::new(directory)?.join(&name)?).is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_below(path: &TreePath, tops: &[&str]) -> bool {
    let tops = tops.iter().filter_map(|top| TreePath::new(top).ok());
    tops.into_iter().any(|top| *path == top || path.is_below(&top))
}

#[cfg(test)]
mod tests {
    use super::add;
    use xc_store::tree::{Entry, Tree, TreePath};

    #[test]
    fn only_missing_programs_come_with_their_libraries() {
        let path = |text: &str| TreePath::new(text).unwrap();
        let mut root = Tree::new();
        root.insert(path("usr/bin/ps"), Entry::symlink("/usr/bin/busybox"));
        root.insert(path("usr/lib/x/libc.so.6"), Entry::file(0o644, "ours"));
        let mut tools = Tree::new();
        for name in [
            "usr/sbin/ps",
            "usr/bin/pgrep",
            "usr/sbin/inetd",
            "usr/lib/x/libproc2.so.0",
            "usr/lib/x/libc.so.6",
            "usr/lib/systemd/system/x.service",
            "etc/init.d/procps",
        ] {
            tools.insert(path(name), Entry::file(0o755, "theirs"));
        }
        add(&mut root, tools).unwrap();
        let files = root.iter().filter(|(_, entry)| !entry.is_directory());
        let names: Vec<String> = files.map(|(path, _)| path.to_string()).collect();
        assert_eq!(
            names,
            [
                "usr/bin/pgrep",
                "usr/bin/ps",
                "usr/lib/x/libc.so.6",
                "usr/lib/x/libproc2.so.0",
                "usr/sbin/inetd"
            ]
        );
        assert_eq!(root.get(&path("usr/lib/x/libc.so.6")), Some(&Entry::file(0o644, "ours")));
    }
}
