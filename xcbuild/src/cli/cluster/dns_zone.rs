//! A cluster's DNS: the names of its own zone, and the servers that are asked for others.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::settings::Settings;
use xc_sys::files;
use xc_topology::Topology;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, ipv4, ipv6};
use xc_topology::render;

/// Port of a server that is given without one (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;
/// The DNS zone of a cluster's own names, `vm-001.xcluster`.
pub(crate) const ZONE: &str = "xcluster";

/// The name of the host in that zone.
pub(crate) const HOST: &str = "host";

/// Writes the names of the cluster's zone for the DNS proxy, and gives the file.
///
/// # Errors
/// When the directory can't be written.
pub(crate) fn write_hosts(
    settings: &Settings,
    topology: &Topology,
    directory: &Path,
) -> Result<PathBuf> {
    let prefix = &settings.cluster.prefix;
    let mut text = render::hosts(topology, prefix);
    text += &format!("{} {HOST}\n", ipv4(MAINTENANCE, HOST_BYTE));
    text += &format!("{} {HOST}\n", ipv6(prefix, MAINTENANCE, HOST_BYTE));
    let path = directory.join("hosts");
    files::write_atomic(&path, text.as_bytes()).context("can't write the names of the nodes")?;
    Ok(path)
}

/// A server that is asked: an address, with the port of DNS unless it has one.
///
/// # Errors
/// When it is no address.
pub(crate) fn upstream(text: &str) -> Result<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, DNS_PORT)),
        Err(_) => bail!(
            "--dns-upstream={text}: an address is expected, such as 192.0.2.1 or [2001:db8::1]:53"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::upstream;

    #[test]
    fn servers_are_addresses_with_or_without_port() {
        let rows = [
            ("127.0.0.1", "127.0.0.1:53"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ];
        for (text, address) in rows {
            assert_eq!(upstream(text).unwrap().to_string(), address);
        }
        for bad in ["", "localhost", "1.2.3", "127.0.0.1:", "[::1]"] {
            assert!(upstream(bad).is_err(), "{bad}");
        }
    }
}
