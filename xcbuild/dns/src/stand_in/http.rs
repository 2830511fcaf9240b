//! The plugins `health`, `ready` and `prometheus`: a page each. HTTP/1.1 as far as probes speak it:
//! one request a connection.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::metrics::Metrics;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a request, at most.
const MAX_REQUEST: usize = 8192;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Health,
    Ready,
    Metrics,
}

impl Page {
    fn path(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::Ready => "/ready",
            Self::Metrics => "/metrics",
        }
    }

    fn text(self, metrics: &Metrics) -> String {
        match self {
            Self::Health | Self::Ready => "OK".to_owned(),
            Self::Metrics => metrics.text(),
        }
    }
}

/// Serves these pages until the future is dropped.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    pages: Vec<Page>,
    metrics: Rc<Metrics>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A probe that breaks off is its own business. One after the other: nobody probes in crowds.
        let _ = timeout(PATIENCE, answer(stream, &pages, &metrics)).await;
    }
}

async fn answer(mut stream: TcpStream, pages: &[Page], metrics: &Metrics) -> io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|part| part == b"\r\n\r\n") {
        let length = stream.read(&mut buffer).await?;
        if length == 0 || request.len() > MAX_REQUEST {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..length]);
    }
    let line = String::from_utf8_lossy(&request);
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let page = pages.iter().find(|page| page.path() == path);
    let (status, text) = match (method, page) {
        ("GET" | "HEAD", Some(page)) => ("200 OK", page.text(metrics)),
        ("GET" | "HEAD", None) => ("404 Not Found", "404 page not found\n".to_owned()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    let body = if method == "HEAD" { "" } else { &text };
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}
