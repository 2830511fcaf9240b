//! The plugin `log`: a line a query, in CoreDNS's format.

use std::fmt::Write as _;

use crate::chain::Delivered;
use crate::corefile::plugins::{Class, Field, Log, Piece};
use crate::wire::{PLAIN_UDP_PAYLOAD, flag, rcode, rtype};

/// Flags of an answer and their names.
const FLAGS: [(u16, &str); 7] = [
    (flag::QR, "qr"),
    (flag::AA, "aa"),
    (flag::TC, "tc"),
    (flag::RD, "rd"),
    (flag::RA, "ra"),
    (flag::AD, "ad"),
    (flag::CD, "cd"),
];

/// The line for an answer, if this log has it.
pub(super) fn line(log: &Log, delivered: &Delivered<'_>) -> Option<String> {
    let name = &delivered.query.name;
    if !log.names.is_empty() && !log.names.iter().any(|zone| name.is_within(zone)) {
        return None;
    }
    let wanted = log.classes.is_empty() || log.classes.contains(&class(delivered));
    let slow = log.min_duration.is_some_and(|least| delivered.elapsed >= least);
    if !wanted && !slow {
        return None;
    }
    let mut line = String::from("[INFO] ");
    for piece in &log.format {
        match piece {
            Piece::Text(text) => line.push_str(text),
            Piece::Field(field) => push(&mut line, *field, delivered),
        }
    }
    Some(line)
}

fn class(delivered: &Delivered<'_>) -> Class {
    let answers = count(delivered.message, 6);
    match delivered.rcode {
        rcode::NXDOMAIN => Class::Denial,
        rcode::NOERROR if answers == 0 => Class::Denial,
        rcode::NOERROR => Class::Success,
        _ => Class::Error,
    }
}

/// Two bytes of a message as a number.
fn count(message: &[u8], at: usize) -> u16 {
    let bytes = message.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u16::from_be_bytes)
}

fn push(line: &mut String, field: Field, delivered: &Delivered<'_>) {
    let Delivered { query, client, message, .. } = delivered;
    let edns = query.edns.as_ref();
    // Writing to a string can't fail.
    let _ = match field {
        Field::Type => write!(line, "{}", rtype::name(query.qtype)),
        Field::Name => write!(line, "{}", query.name),
        Field::Class => write!(line, "IN"),
        Field::Protocol => write!(line, "{}", client.transport),
        Field::Remote if client.address.is_ipv6() => write!(line, "[{}]", client.address.ip()),
        Field::Remote => write!(line, "{}", client.address.ip()),
        Field::Port => write!(line, "{}", client.address.port()),
        Field::Size => write!(line, "{}", client.size),
        Field::Duration => write!(line, "{:.9}s", delivered.elapsed.as_secs_f64()),
        Field::Rcode => write!(line, "{}", rcode::name(delivered.rcode)),
        Field::ResponseSize => write!(line, "{}", message.len()),
        Field::Flags => {
            let flags = count(message, 2);
            let set = FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
            write!(line, "{}", set.collect::<Vec<_>>().join(","))
        }
        Field::BufferSize => {
            write!(line, "{}", edns.map_or(PLAIN_UDP_PAYLOAD, |edns| edns.udp_payload))
        }
        Field::DnssecOk => write!(line, "{}", query.dnssec_ok()),
        Field::Id => write!(line, "{}", query.id),
        Field::Opcode => write!(line, "0"),
    };
}
