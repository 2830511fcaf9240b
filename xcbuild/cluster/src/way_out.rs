//! The commands that errors and hints name, for the cluster that they are about: who follows one must
//! not hit another cluster.

/// The cluster of who names none.
pub const DEFAULT: &str = "default";

/// A command of ours on a cluster, to be shown: a verb, and what comes after it.
pub fn command(cluster: &str, words: &str) -> String {
    match words.split_once(' ') {
        _ if cluster == DEFAULT => format!("`xcbuild {words}`"),
        Some((verb, rest)) => format!("`xcbuild {verb} --cluster={cluster} {rest}`"),
        None => format!("`xcbuild {words} --cluster={cluster}`"),
    }
}

/// That a cluster does not run, and what starts it.
pub fn absent(cluster: &str) -> String {
    let start = if cluster == DEFAULT { "up" } else { "start" };
    format!("the cluster `{cluster}` does not run; {} starts one", command(cluster, start))
}

#[cfg(test)]
mod tests {
    use super::{absent, command};

    #[test]
    fn commands_are_for_the_cluster_that_is_meant() {
        assert_eq!(command("default", "rsh 1 ip route"), "`xcbuild rsh 1 ip route`");
        assert_eq!(command("ci", "rsh 1 ip route"), "`xcbuild rsh --cluster=ci 1 ip route`");
        assert_eq!(command("ci", "stop"), "`xcbuild stop --cluster=ci`");
        assert!(absent("default").ends_with("; `xcbuild up` starts one"));
        assert!(absent("ci").ends_with("; `xcbuild start --cluster=ci` starts one"));
    }
}
