//! What a CoreDNS of the user's is told, so that it does what our own proxy does. Pure.
//!
//! CoreDNS takes one hosts file a server block and knows no bare names, so the files are joined into
//! one that names each node also in the cluster's zone.
//!
//! Reference: coredns-hosts(7), coredns-forward(7), coredns-cache(7), coredns-bind(7).

use std::net::SocketAddr;
use std::path::Path;

/// How long answers are kept, in seconds: the contract's.
const KEPT: u32 = 3000;

/// How the line begins by which CoreDNS says that the block of all names is bound.
pub const READY: &str = ".:";

/// The Corefile. All of `listen` have one port.
pub fn corefile(listen: &[SocketAddr], hosts: &Path, zone: Option<&str>, to: &[String]) -> String {
    let port = listen.first().map_or(0, SocketAddr::port);
    let bind: Vec<String> = listen.iter().map(|address| address.ip().to_string()).collect();
    let common = format!("    bind {}\n    log\n    errors\n", bind.join(" "));
    let hosts = hosts.display();
    let own = zone.map(|zone| format!("{zone}:{port} {{\n{common}    hosts \"{hosts}\"\n}}\n"));
    let (own, to) = (own.unwrap_or_default(), to.join(" "));
    format!(
        "{own}.:{port} {{\n{common}    hosts \"{hosts}\" {{\n        fallthrough\n    }}\n    \
         forward . {to}\n    cache {KEPT}\n}}\n"
    )
}

/// Hosts files as one; bare names are named in the zone as well.
pub fn joined_hosts(files: &[String], zone: Option<&str>) -> String {
    let lines = files.iter().flat_map(|file| file.lines());
    let line = |line: &str| {
        let words: Vec<&str> = line.split('#').next()?.split_whitespace().collect();
        let (address, names) = words.split_first()?;
        let bare = names.iter().filter(|name| !name.contains('.'));
        let zoned = zone.into_iter().flat_map(|z| bare.clone().map(move |n| format!(" {n}.{z}")));
        // In the zone first: the first name is the one that an address stands for.
        Some(format!("{address}{} {}\n", zoned.collect::<String>(), names.join(" ")))
    };
    lines.filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{corefile, joined_hosts};

    #[test]
    fn corefile_has_the_zone_and_the_rest() {
        let listen = ["127.0.0.1:10053", "[::1]:10053"].map(|a| a.parse().unwrap());
        let to = ["/etc/resolv.conf".to_owned()];
        let text = corefile(&listen, Path::new("/r/hosts"), Some("xcluster"), &to);
        insta::assert_snapshot!(text, @r#"
        xcluster:10053 {
            bind 127.0.0.1 ::1
            log
            errors
            hosts "/r/hosts"
        }
        .:10053 {
            bind 127.0.0.1 ::1
            log
            errors
            hosts "/r/hosts" {
                fallthrough
            }
            forward . /etc/resolv.conf
            cache 3000
        }
        "#);
    }

    #[test]
    fn bare_names_are_in_the_zone_too() {
        let files = ["# none\n192.168.1.1 vm-001\n".into(), "10.0.0.1  a.example b # c\n".into()];
        let text = joined_hosts(&files, Some("xcluster"));
        let expected = "192.168.1.1 vm-001.xcluster vm-001\n10.0.0.1 b.xcluster a.example b\n";
        assert_eq!(text, expected);
    }
}
