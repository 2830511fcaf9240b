//! What a node's interface is plugged into, as qemu is told and as it is kept on record. Pure.
//!
//! The record is made where the options are: nobody has to read a command line later to know what
//! carries a link. Only what a script of the user's says is read, once, since it comes as options.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use xc_topology::address::Mac;

/// What an interface of a node is plugged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// What qemu carries, or hands to a tap.
    Netdev {
        /// The value of `-netdev`, with the id that [`netdev_id`] gives.
        netdev: String,
        /// How many queues it has.
        queues: u32,
        /// What that value makes the carrier.
        carrier: Carrier,
    },
    /// All options, in words, as a script of the user's has them (`__net_setup`).
    Options(Vec<String>),
}

/// What carries the frames of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Carrier {
    /// A tap.
    Tap {
        /// Its name.
        name: String,
        /// The bridge that it is a port of, where xcbuild has plugged it in.
        bridge: Option<String>,
    },
    /// A multicast group on loopback.
    Group {
        /// The group and its UDP port.
        address: SocketAddrV4,
    },
    /// qemu's own TCP/IP stack.
    UserStack,
    /// What a script of the user's has qemu make, other than a tap or a group.
    Other,
}

/// What is on record of an interface's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plug {
    /// The id by which qemu knows the network back end; none where a script of the user's has given
    /// no device this interface's address.
    pub netdev: Option<String>,
    /// What carries its frames.
    pub carrier: Carrier,
}

/// The id of the n-th interface's `-netdev`.
pub fn netdev_id(index: usize) -> String {
    format!("net{index}")
}

impl Port {
    /// What is to be recorded of the port of the n-th interface, which has that address.
    pub fn plug(&self, index: usize, mac: Mac) -> Plug {
        match self {
            Self::Netdev { carrier, .. } => {
                Plug { netdev: Some(netdev_id(index)), carrier: carrier.clone() }
            }
            Self::Options(words) => of_options(words, mac),
        }
    }
}

/// What options of a script of the user's say of the interface with that address.
fn of_options(words: &[String], mac: Mac) -> Plug {
    let mac = format!("mac={mac}");
    let device = words.iter().find(|word| word.split(',').any(|part| part == mac));
    let netdev = device.and_then(|device| part(device, "netdev=")).map(ToOwned::to_owned);
    let carrier = netdev.as_ref().and_then(|id| carrier_of(words, id)).unwrap_or(Carrier::Other);
    Plug { netdev, carrier }
}

fn carrier_of(words: &[String], id: &str) -> Option<Carrier> {
    let netdevs = words.windows(2).filter(|pair| pair[0] == "-netdev").map(|pair| &pair[1]);
    let value = netdevs.map(String::as_str).find(|value| part(value, "id=") == Some(id))?;
    match value.split_once(',')?.0 {
        "tap" => Some(Carrier::Tap { name: part(value, "ifname=")?.into(), bridge: None }),
        "socket" => Some(Carrier::Group { address: part(value, "mcast=")?.parse().ok()? }),
        "user" => Some(Carrier::UserStack),
        _ => None,
    }
}

/// The value of `name` within an option's value.
fn part<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(',').find_map(|part| part.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::{Carrier, Plug, Port};
    use xc_topology::address::Mac;

    const MAC: Mac = Mac([0, 0, 0, 1, 1, 5]);

    #[test]
    fn options_of_a_script_are_read_once() {
        let tap = |name: &str| Carrier::Tap { name: name.into(), bridge: None };
        let group = Carrier::Group { address: "224.0.0.121:27030".parse().unwrap() };
        let rows = [
            ("tap,id=net1,ifname=xctap5_1,script=no", tap("xctap5_1")),
            ("socket,id=net1,mcast=224.0.0.121:27030,localaddr=127.0.0.1", group),
            ("user,id=net1,net=192.168.0.5/24", Carrier::UserStack),
            ("hubport,id=net1,hubid=1", Carrier::Other),
            ("tap,id=net1", Carrier::Other),
            ("tap,id=net2,ifname=other", Carrier::Other),
        ];
        for (netdev, carrier) in rows {
            let device = "virtio-net-pci,netdev=net1,mac=00:00:00:01:01:05,romfile=";
            let words = ["-netdev", netdev, "-device", device].map(str::to_owned);
            let plug = Port::Options(words.into()).plug(7, MAC);
            assert_eq!(plug, Plug { netdev: Some("net1".into()), carrier }, "{netdev}");
        }
        let other = ["-device", "virtio-net-pci,netdev=net1,mac=00:00:00:01:01:06"];
        let plug = Port::Options(other.map(str::to_owned).into()).plug(1, MAC);
        assert_eq!(plug, Plug { netdev: None, carrier: Carrier::Other });
    }

    #[test]
    fn carriers_are_saved_by_kind() {
        let carriers = [
            Carrier::Tap { name: "xctap5_1".into(), bridge: Some("xcbr1".into()) },
            Carrier::Group { address: "224.0.0.121:27030".parse().unwrap() },
            Carrier::UserStack,
            Carrier::Other,
        ];
        let text = serde_json::to_string(&carriers).unwrap();
        insta::assert_snapshot!(text, @r#"[{"kind":"tap","name":"xctap5_1","bridge":"xcbr1"},{"kind":"group","address":"224.0.0.121:27030"},{"kind":"user-stack"},{"kind":"other"}]"#);
        assert_eq!(serde_json::from_str::<[Carrier; 4]>(&text).unwrap(), carriers);
    }
}
