//! What a server has to say: one line per query, and warnings.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::Duration;

use crate::wire::{Name, rcode, rtype};

/// Something to log. Its `Display` is one line without an end, safe to print whatever a client
/// sent.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A query was answered.
    Query(QueryRecord<'a>),
    /// A message was answered with an error because it is no query that can be looked up.
    Rejected {
        /// Who sent it.
        client: SocketAddr,
        /// How.
        transport: Transport,
        /// The response code sent.
        rcode: u16,
    },
    /// The list of servers, or the names of the hosts files, were read anew.
    Reloaded(String),
    /// A line as a Corefile's `log` has it.
    Line(String),
    /// Something failed that was asked for, and the server goes on.
    Error(String),
    /// Something is wrong that doesn't stop the server. Names the thing and the way out.
    Warning(String),
}

/// One answered query.
#[derive(Debug, Clone)]
pub struct QueryRecord<'a> {
    /// The name asked for.
    pub name: &'a Name,
    /// The type asked for, by number.
    pub qtype: u16,
    /// Who asked.
    pub client: SocketAddr,
    /// How.
    pub transport: Transport,
    /// The response code.
    pub rcode: u16,
    /// Where the answer is from.
    pub source: Source,
    /// From the arrival of the query to its answer.
    pub elapsed: Duration,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// On a connection.
    Tcp,
}

/// Where an answer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Our own names.
    Local,
    /// The cache.
    Cache,
    /// The cache, past its time, because no server answers.
    Stale,
    /// This server.
    Forward(SocketAddr),
    /// Nowhere: no server gave an answer.
    Failed,
    /// Nowhere: too many queries at once.
    Busy,
    /// Nowhere: the query has been here before.
    Circle,
}

impl Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(record) => record.fmt(f),
            Self::Rejected { client, transport, rcode } => {
                write!(f, "rejected {client} {transport} {}", rcode::name(*rcode))
            }
            Self::Reloaded(what) => write!(f, "reloaded {what}"),
            Self::Line(line) => f.write_str(line),
            Self::Error(what) => write!(f, "error: {what}"),
            Self::Warning(what) => write!(f, "warning: {what}"),
        }
    }
}

impl Display for QueryRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, qtype, client, transport, rcode, source, elapsed } = self;
        let (qtype, rcode) = (rtype::name(*qtype), rcode::name(*rcode));
        let ms = elapsed.as_secs_f64() * 1000.0;
        write!(f, "query {name} {qtype} {client} {transport} {rcode} {source} {ms:.1} ms")
    }
}

impl Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Cache => f.write_str("cache"),
            Self::Stale => f.write_str("stale"),
            Self::Forward(server) => write!(f, "forward {server}"),
            Self::Failed => f.write_str("failed"),
            Self::Busy => f.write_str("busy"),
            Self::Circle => f.write_str("circle"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_line_whatever_its_name() {
        let name = Name::from_wire(b"\x05a\nb c\x00".to_vec());
        let server = "[::1]:53".parse().unwrap();
        let record = QueryRecord {
            name: &name,
            qtype: 65,
            client: "127.0.0.1:4242".parse().unwrap(),
            transport: Transport::Udp,
            rcode: 3,
            source: Source::Forward(server),
            elapsed: Duration::from_micros(1234),
        };
        assert_eq!(
            Event::Query(record).to_string(),
            "query a\\010b\\032c. HTTPS 127.0.0.1:4242 udp NXDOMAIN forward [::1]:53 1.2 ms"
        );
    }
}
