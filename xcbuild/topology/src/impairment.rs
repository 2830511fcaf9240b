//! Impairments: what a link does to packets that it shouldn't, in the words of `tc netem`.
//!
//! In a topology file they hold from the start of a node; `xcbuild link` changes them while a
//! cluster runs. The node's own kernel does it in both directions, in every kind of network: what
//! the node sends waits in the queue of its interface, what it receives is first led through a link
//! of the kind `ifb`, whose queue is netem's.
//!
//! ```text
//!   network ──▶ eth1 ── ingress: redirect ──▶ xcin1 (netem) ──▶ the node      what it receives
//!   the node ──▶ eth1 (netem) ──▶ network                                     what it sends
//! ```
//!
//! Reference: tc-netem(8), tc-mirred(8), tc-matchall(8).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::NetworkId;
use super::group::NodeSet;

/// An impairment of one direction of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impairment {
    /// The nodes whose link it is.
    pub nodes: NodeSet,
    /// The network that the link leads to.
    pub network: NetworkId,
    /// Which end applies it, which is also which direction it hits.
    pub end: End,
    /// What happens to the packets.
    pub netem: Netem,
}

/// The end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The node's: what it sends.
    Node,
    /// The network's: what the node receives.
    Host,
}

/// What a link does to packets, each way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkImpairments {
    /// To what the node sends.
    pub sends: Netem,
    /// To what it receives.
    pub receives: Netem,
}

impl LinkImpairments {
    /// One of both, to change it.
    pub fn of_mut(&mut self, end: End) -> &mut Netem {
        match end {
            End::Node => &mut self.sends,
            End::Host => &mut self.receives,
        }
    }
}

/// As people read it; empty where the link is sound.
impl fmt::Display for LinkImpairments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = [("out", &self.sends), ("in", &self.receives)];
        let bad = ways.iter().filter(|(_, netem)| !netem.is_sound());
        let bad: Vec<_> = bad.map(|(way, netem)| format!("{way}: {}", netem.settings())).collect();
        f.write_str(&bad.join("; "))
    }
}

/// What the names of the links begin with that [`inbound_link`] names.
pub const INBOUND_LINK: &str = "xcin";

/// The link in a node that what it receives from a network is led through.
pub fn inbound_link(network: NetworkId) -> String {
    format!("{INBOUND_LINK}{network}")
}

/// The commands of `ip` and `tc`, less the programs' names, that impair what an interface
/// receives, where nothing does yet.
pub fn inbound(device: &str, network: NetworkId) -> ([String; 2], [String; 2]) {
    let link = inbound_link(network);
    let make = format!("link add {link} type ifb");
    let up = format!("link set {link} addrgenmode none up");
    let hook = format!("qdisc add dev {device} handle ffff: ingress");
    let lead = format!(
        "filter add dev {device} parent ffff: matchall action mirred egress redirect dev {link}"
    );
    ([make, up], [hook, lead])
}

/// The command of `tc` that sets a device's queue.
pub fn queue(device: &str, netem: &Netem) -> String {
    format!("qdisc replace dev {device} root netem {netem}")
}

/// How many packets a queue holds that delays them: tc's own 1000 would drop some from a few
/// thousand packets a second on. With a rate, tc's own is long enough.
const DELAYED_PACKETS: &str = "10000";

/// Settings of a netem queue, each as `tc` writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Netem {
    /// Time that each packet is held, `50ms`.
    pub delay: Option<String>,
    /// How much the delay varies, `5ms`; only with a delay.
    pub jitter: Option<String>,
    /// Share of packets dropped, `1%`.
    pub loss: Option<String>,
    /// Share of packets sent at once, ahead of those delayed, `25%`; only with a delay.
    pub reorder: Option<String>,
    /// Share of packets sent twice, `1%`.
    pub duplicate: Option<String>,
    /// Bandwidth, `10mbit`.
    pub rate: Option<String>,
}

impl Netem {
    /// The settings' names, as they stand in a topology file.
    pub const FIELDS: [&str; 6] = ["delay", "jitter", "loss", "reorder", "duplicate", "rate"];

    /// Sets one by its name in a topology file; of 0, with or without a unit, it is not set.
    ///
    /// # Errors
    /// A sentence, when `tc` wouldn't take the value or there is no such setting.
    pub fn set(&mut self, field: &str, value: &str) -> Result<(), String> {
        let (slot, quantity, example) = match field {
            "delay" => (&mut self.delay, &TIME, "50ms"),
            "jitter" => (&mut self.jitter, &TIME, "5ms"),
            "loss" => (&mut self.loss, &SHARE, "1%"),
            "reorder" => (&mut self.reorder, &SHARE, "25%"),
            "duplicate" => (&mut self.duplicate, &SHARE, "1%"),
            "rate" => (&mut self.rate, &RATE, "10mbit"),
            other => return Err(format!("there is no impairment `{other}`")),
        };
        let amount = quantity.amount(value);
        let Some(amount) = amount else {
            return Err(format!("{field} `{value}` is not of the form {example}"));
        };
        let (least, most) = quantity.limits;
        if amount > 0.0 && !(least.1..=most.1).contains(&amount) {
            return Err(format!("{field} `{value}` is not between {} and {}", least.0, most.0));
        }
        *slot = (amount > 0.0).then(|| value.to_string());
        Ok(())
    }

    /// Whether nothing happens to packets.
    pub fn is_sound(&self) -> bool {
        *self == Self::default()
    }

    /// Whether no packet gets through.
    pub fn loses_all(&self) -> bool {
        self.loss.as_deref().and_then(|loss| SHARE.amount(loss)) == Some(100.0)
    }

    /// Takes the settings that are set in `other`.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.delay, &other.delay),
            (&mut self.jitter, &other.jitter),
            (&mut self.loss, &other.loss),
            (&mut self.reorder, &other.reorder),
            (&mut self.duplicate, &other.duplicate),
            (&mut self.rate, &other.rate),
        ];
        for (slot, value) in pairs.into_iter().filter(|(_, value)| value.is_some()) {
            slot.clone_from(value);
        }
    }

    /// What is missing or can't go together, as a sentence.
    pub fn problem(&self) -> Option<&'static str> {
        if self.is_sound() {
            return Some("an impairment needs one of delay, loss, duplicate, rate");
        }
        self.contradiction()
    }

    /// What can't go together, as a sentence.
    pub fn contradiction(&self) -> Option<&'static str> {
        let needs_delay = self.jitter.is_some() || self.reorder.is_some();
        (needs_delay && self.delay.is_none()).then_some("jitter and reorder need a delay")
    }
}

/// What a setting is measured in, and how much of it `tc` and the kernel take.
struct Quantity {
    /// The units, each with how much of the smallest it is.
    units: &'static [(&'static str, f64)],
    /// The least that is something, and the most: as people write them, and in the smallest unit.
    limits: ((&'static str, f64), (&'static str, f64)),
}

/// `tc` counts whole microseconds, and in ticks of 64 ns that fit into 32 bits: 274.88 s.
const TIME: Quantity = Quantity {
    units: &[("us", 1.0), ("ms", 1e3), ("s", 1e6)],
    limits: (("1us", 1.0), ("274s", 274e6)),
};
const SHARE: Quantity = Quantity { units: &[("%", 1.0)], limits: (("0%", 0.0), ("100%", 100.0)) };
/// The kernel counts whole bytes a second; no network of this host is faster than the most.
const RATE: Quantity = Quantity {
    units: &[("bit", 1.0), ("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)],
    limits: (("8bit", 8.0), ("1000gbit", 1e12)),
};

impl Quantity {
    /// A value in the smallest unit; none where it is not of the form. Nothing needs no unit.
    fn amount(&self, value: &str) -> Option<f64> {
        let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number: f64 = value[..value.len() - unit.len()].parse().ok()?;
        if number == 0.0 && unit.is_empty() {
            return Some(0.0);
        }
        self.units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| number * factor)
    }
}

impl Netem {
    /// The settings in tc's words, for people.
    pub fn settings(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        if let Some(delay) = &self.delay {
            words.extend(["delay", delay]);
            words.extend(self.jitter.as_deref());
        }
        let others = [
            ("loss", &self.loss),
            ("reorder", &self.reorder),
            ("duplicate", &self.duplicate),
            ("rate", &self.rate),
        ];
        for (word, value) in others {
            words.extend(value.iter().flat_map(|value| [word, value.as_str()]));
        }
        words.join(" ")
    }
}

/// The arguments after `netem` on tc's command line.
impl fmt::Display for Netem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.settings())?;
        match (&self.delay, &self.rate) {
            (Some(_), None) => write!(f, " limit {DELAYED_PACKETS}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Netem;

    #[test]
    fn netem_is_what_tc_takes() {
        let mut netem = Netem::default();
        assert!(netem.problem().is_some());
        netem.set("jitter", "5ms").unwrap();
        assert_eq!(netem.problem(), Some("jitter and reorder need a delay"));
        for (field, value) in [("delay", "50ms"), ("loss", "0.5%"), ("rate", "10mbit")] {
            netem.set(field, value).unwrap();
        }
        assert_eq!(netem.problem(), None);
        assert_eq!(netem.to_string(), "delay 50ms 5ms loss 0.5% rate 10mbit");
        netem.set("rate", "0bit").unwrap();
        assert_eq!(netem.to_string(), "delay 50ms 5ms loss 0.5% limit 10000");
    }

    #[test]
    fn values_without_their_unit_are_refused() {
        for (field, bad) in [("delay", "50"), ("loss", "101%"), ("rate", "fast"), ("speed", "1%")] {
            assert!(Netem::default().set(field, bad).is_err(), "{field} {bad}");
        }
        for bad in ["0x", "0 ms", "", ".", "-0"] {
            assert!(Netem::default().set("delay", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_takes_a_setting_off() {
        for field in Netem::FIELDS {
            let mut netem = Netem { delay: Some("1ms".into()), ..Netem::default() };
            netem.set(field, "0").unwrap();
            let left = if field == "delay" { "" } else { "delay 1ms" };
            assert_eq!(netem.settings(), left, "{field}");
        }
    }

    /// The limits are those of `tc qdisc replace … netem` of iproute2 6.1.
    #[test]
    fn what_tc_refuses_or_ignores_is_refused() {
        let rows = [
            ("delay", "274s", ""),
            ("delay", "275s", "delay `275s` is not between 1us and 274s"),
            ("delay", "99999999s", "delay `99999999s` is not between 1us and 274s"),
            ("jitter", "275000ms", "jitter `275000ms` is not between 1us and 274s"),
            ("delay", "0.5us", "delay `0.5us` is not between 1us and 274s"),
            ("loss", "0.001%", ""),
            ("reorder", "100.1%", "reorder `100.1%` is not between 0% and 100%"),
            ("rate", "1bit", "rate `1bit` is not between 8bit and 1000gbit"),
            ("rate", "1000gbit", ""),
            ("rate", "1001gbit", "rate `1001gbit` is not between 8bit and 1000gbit"),
        ];
        for (field, value, problem) in rows {
            let set = Netem::default().set(field, value);
            assert_eq!(set.err().unwrap_or_default(), problem, "{field} {value}");
        }
    }
}
