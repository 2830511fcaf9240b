//! The keys of server blocks: `[dns://]ZONE[:PORT]`, or a network in place of a zone.
//!
//! A network such as `10.1.0.0/16` stands for the zone of its reverse names; one that doesn't end
//! at a label for all the zones that it takes.

use std::net::IpAddr;

use super::lexer::Word;
use crate::place::ParseError;
use crate::wire::Name;

/// The zones of one key and their port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The zones.
    pub zones: Vec<Name>,
    /// The port; `None` takes the usual one.
    pub port: Option<u16>,
}

/// Schemes that CoreDNS has and we don't.
const OTHER_SCHEMES: [&str; 5] = ["tls", "grpc", "https", "https3", "quic"];

/// Takes a key.
pub(crate) fn parse(word: &Word) -> Result<Key, ParseError> {
    let error = |message: String| word.place.error(message);
    let text = match word.text.split_once("://") {
        None => word.text.as_str(),
        Some(("dns", rest)) => rest,
        Some((scheme, _)) if OTHER_SCHEMES.contains(&scheme) => {
            return Err(error(format!("{scheme}:// is not supported: plain DNS only (dns://)")));
        }
        Some((scheme, _)) => return Err(error(format!("`{scheme}://` is not a scheme"))),
    };
    // The colons of an IPv6 network come before its slash.
    let (head, tail) = text.rsplit_once('/').map_or(("", text), |(head, tail)| (head, tail));
    let (tail, port) = match tail.rsplit_once(':') {
        Some((tail, port)) => {
            let number = port.parse().ok().filter(|number| *number != 0);
            (tail, Some(number.ok_or_else(|| error(format!("`{port}` is not a port")))?))
        }
        None => (tail, None),
    };
    let zone = if head.is_empty() { tail.to_owned() } else { format!("{head}/{tail}") };
    Ok(Key { zones: zones(&zone).map_err(error)?, port })
}

/// The zones that a text stands for: one by its name, or those of a network.
pub(crate) fn zones(text: &str) -> Result<Vec<Name>, String> {
    if let Some((address, length)) = text.split_once('/') {
        let network = address.parse().ok().zip(length.parse().ok());
        let zones = network.and_then(|(address, length)| reverse_zones(address, length));
        return zones.ok_or_else(|| format!("`{text}` is not a network, such as 10.0.0.0/24"));
    }
    let name = if text.is_empty() { "." } else { text };
    name.parse().map(|name| vec![name]).map_err(|error: crate::wire::NameError| error.to_string())
}

/// The zones of the reverse names of a network; `None` if it isn't one.
fn reverse_zones(address: IpAddr, length: u32) -> Option<Vec<Name>> {
    let (bits, label): (u32, u32) = if address.is_ipv4() { (32, 8) } else { (128, 4) };
    if length > bits {
        return None;
    }
    // As many zones as the last label has values: at most 128.
    let labels = length.div_ceil(label);
    let spare = labels * label - length;
    let value = match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
    let zone = |index: u128| {
        let shift = 128 - labels * label;
        let value = (value & mask) | if shift == 128 { 0 } else { index << shift };
        let address = match address {
            IpAddr::V4(_) => IpAddr::V4(((value >> 96) as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(value.into()),
        };
        Name::reverse(address).without_labels((bits / label - labels) as usize)
    };
    (0..1_u128 << spare).map(zone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    fn key(text: &str) -> Result<Key, ParseError> {
        let place = Place { file: "f".into(), line: 1 };
        parse(&Word { text: text.to_owned(), place, quoted: false })
    }

    #[test]
    fn keys_are_zones_and_ports() {
        for (text, expected) in [
            (".", ". -"),
            (".:53", ". 53"),
            (":1053", ". 1053"),
            ("Example.org:10053", "example.org. 10053"),
            ("dns://example.org", "example.org. -"),
            ("dns://.:5300", ". 5300"),
            ("10.0.0.0/24", "0.0.10.in-addr.arpa. -"),
            ("10.0.0.0/24:1053", "0.0.10.in-addr.arpa. 1053"),
            ("10.9.0.0/8", "10.in-addr.arpa. -"),
            ("10.0.0.6/31", "6.0.0.10.in-addr.arpa. 7.0.0.10.in-addr.arpa. -"),
            ("172.16.0.0/15", "16.172.in-addr.arpa. 17.172.in-addr.arpa. -"),
            ("0.0.0.0/0", "in-addr.arpa. -"),
            ("1000::/16", "0.0.0.1.ip6.arpa. -"),
            ("1000::/16:53", "0.0.0.1.ip6.arpa. 53"),
            ("1000::/15", "0.0.0.1.ip6.arpa. 1.0.0.1.ip6.arpa. -"),
        ] {
            let Key { zones, port } = key(text).unwrap();
            let zones: Vec<String> = zones.iter().map(Name::to_string).collect();
            let port = port.map_or("-".to_owned(), |port| port.to_string());
            assert_eq!(format!("{} {port}", zones.join(" ")), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_key_is_an_error() {
        for (text, expected) in [
            ("tls://.:853", "tls:// is not supported"),
            ("gopher://.", "`gopher://` is not a scheme"),
            (".:x", "`x` is not a port"),
            (".:0", "`0` is not a port"),
            (".:65536", "`65536` is not a port"),
            ("a..b", "empty label"),
            ("10.0.0.0/33", "is not a network"),
            ("x/24", "is not a network"),
        ] {
            let error = key(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
