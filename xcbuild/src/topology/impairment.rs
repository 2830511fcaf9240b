//! Impairments: what a link does to packets that it shouldn't, in the words of `tc netem`.
//!
//! In a topology file they hold from the start of a node. The same type serves whoever impairs a
//! link while a cluster runs.

use std::fmt;

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
    /// The interface in the node: what the node sends.
    Node,
    /// The tap on the host: what the node receives. Not with user-space networking.
    Host,
}

/// Settings of a netem queue, each as `tc` writes it; at least one is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// Sets one by its name in a topology file.
    ///
    /// # Errors
    /// A sentence, when `tc` wouldn't take the value or there is no such setting.
    pub fn set(&mut self, field: &str, value: &str) -> Result<(), String> {
        let (slot, units, example) = match field {
            "delay" => (&mut self.delay, TIMES, "50ms"),
            "jitter" => (&mut self.jitter, TIMES, "5ms"),
            "loss" => (&mut self.loss, SHARES, "1%"),
            "reorder" => (&mut self.reorder, SHARES, "25%"),
            "duplicate" => (&mut self.duplicate, SHARES, "1%"),
            "rate" => (&mut self.rate, RATES, "10mbit"),
            other => return Err(format!("there is no impairment `{other}`")),
        };
        let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = value[..value.len() - unit.len()].parse::<f64>();
        match number {
            Ok(n) if units.contains(&unit) && (unit != "%" || n <= 100.0) => {}
            _ => return Err(format!("{field} `{value}` is not of the form {example}")),
        }
        *slot = Some(value.to_string());
        Ok(())
    }

    /// What is missing or can't go together, as a sentence.
    pub fn problem(&self) -> Option<&'static str> {
        if *self == Self::default() {
            return Some("an impairment needs one of delay, loss, duplicate, rate");
        }
        let needs_delay = self.jitter.is_some() || self.reorder.is_some();
        (needs_delay && self.delay.is_none()).then_some("jitter and reorder need a delay")
    }
}

const TIMES: &[&str] = &["us", "ms", "s"];
const SHARES: &[&str] = &["%"];
const RATES: &[&str] = &["bit", "kbit", "mbit", "gbit"];

/// The arguments after `netem` on tc's command line.
impl fmt::Display for Netem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        f.write_str(&words.join(" "))
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
    }

    #[test]
    fn values_without_their_unit_are_refused() {
        for (field, bad) in [("delay", "50"), ("loss", "101%"), ("rate", "fast"), ("speed", "1%")] {
            assert!(Netem::default().set(field, bad).is_err(), "{field} {bad}");
        }
    }
}
