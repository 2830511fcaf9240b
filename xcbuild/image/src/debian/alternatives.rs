//! The links that packages' maintainer scripts make by `update-alternatives`.
//!
//! The scripts don't run here, so the ones that matter to nodes are listed. A link is made where
//! one of its targets is in the tree and nothing stands at its place; the first target that is
//! there wins. As in Debian it leads by `/etc/alternatives`, so that an overlay can choose another.

use anyhow::Result;

use xc_store::tree::{Entry, Tree, TreePath};

/// The place of the link, and what it may lead to, the best first. The name in `/etc/alternatives`
/// is the link's own.
const ALTERNATIVES: &[(&str, &[&str])] = &[
    ("usr/bin/awk", &["usr/bin/gawk", "usr/bin/mawk"]),
    ("usr/bin/editor", &["usr/bin/vim.basic", "usr/bin/vim.tiny", "usr/bin/nano"]),
    ("usr/bin/nc", &["usr/bin/nc.openbsd", "usr/bin/nc.traditional", "usr/bin/ncat"]),
    ("usr/bin/pager", &["usr/bin/less"]),
    ("usr/bin/telnet", &["usr/bin/inetutils-telnet", "usr/bin/telnet.netkit"]),
    ("usr/bin/traceroute", &["usr/bin/traceroute.db"]),
    ("usr/bin/traceroute6", &["usr/bin/traceroute6.db"]),
    ("usr/bin/tracert", &["usr/bin/traceroute.db"]),
    ("usr/bin/vi", &["usr/bin/vim.basic", "usr/bin/vim.tiny"]),
    ("usr/bin/which", &["usr/bin/which.debianutils"]),
    ("usr/sbin/arptables", &["usr/sbin/arptables-nft", "usr/sbin/arptables-legacy"]),
    ("usr/sbin/arptables-restore", &["usr/sbin/arptables-nft-restore"]),
    ("usr/sbin/arptables-save", &["usr/sbin/arptables-nft-save"]),
    ("usr/sbin/ebtables", &["usr/sbin/ebtables-nft", "usr/sbin/ebtables-legacy"]),
    ("usr/sbin/ebtables-restore", &["usr/sbin/ebtables-nft-restore"]),
    ("usr/sbin/ebtables-save", &["usr/sbin/ebtables-nft-save"]),
    ("usr/sbin/ip6tables", &["usr/sbin/ip6tables-nft", "usr/sbin/ip6tables-legacy"]),
    ("usr/sbin/ip6tables-restore", &["usr/sbin/ip6tables-nft-restore"]),
    ("usr/sbin/ip6tables-save", &["usr/sbin/ip6tables-nft-save"]),
    ("usr/sbin/iptables", &["usr/sbin/iptables-nft", "usr/sbin/iptables-legacy"]),
    ("usr/sbin/iptables-restore", &["usr/sbin/iptables-nft-restore"]),
    ("usr/sbin/iptables-save", &["usr/sbin/iptables-nft-save"]),
    ("usr/sbin/tcptraceroute", &["usr/sbin/tcptraceroute.db"]),
];

/// Makes the links.
///
/// # Errors
/// None that a correct list can give.
pub(super) fn apply(tree: &mut Tree) -> Result<()> {
    for (link, targets) in ALTERNATIVES {
        let link = TreePath::new(link)?;
        if tree.get(&link).is_some() {
            continue;
        }
        for target in *targets {
            if tree.get(&TreePath::new(target)?).is_some() {
                let name = String::from_utf8_lossy(link.name()).into_owned();
                let middle = format!("etc/alternatives/{name}");
                tree.insert(TreePath::new(&middle)?, Entry::symlink(format!("/{target}")));
                tree.insert(link, Entry::symlink(format!("/{middle}")));
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ALTERNATIVES, apply};
    use xc_store::tree::{Entry, Kind, Tree, TreePath};

    fn link(tree: &Tree, path: &str) -> Option<String> {
        match &tree.get(&TreePath::new(path).unwrap())?.kind {
            Kind::Symlink(target) => Some(String::from_utf8_lossy(target).into_owned()),
            _ => None,
        }
    }

    #[test]
    fn the_best_target_that_is_there_is_linked() {
        let mut tree = Tree::new();
        for name in
            ["usr/sbin/iptables-nft", "usr/sbin/iptables-legacy", "usr/bin/vi", "usr/bin/vim.tiny"]
        {
            tree.insert(TreePath::new(name).unwrap(), Entry::file(0o755, "x"));
        }
        apply(&mut tree).unwrap();
        assert_eq!(link(&tree, "usr/sbin/iptables").unwrap(), "/etc/alternatives/iptables");
        assert_eq!(link(&tree, "etc/alternatives/iptables").unwrap(), "/usr/sbin/iptables-nft");
        assert_eq!(link(&tree, "usr/bin/vi"), None);
        assert_eq!(link(&tree, "usr/sbin/ebtables"), None);
    }

    #[test]
    fn the_list_is_sorted_and_its_paths_are_good() {
        assert!(ALTERNATIVES.is_sorted());
        for (link, targets) in ALTERNATIVES {
            TreePath::new(link).unwrap();
            assert!(!targets.is_empty());
            targets.iter().for_each(|t| drop(TreePath::new(t).unwrap()));
        }
    }
}
