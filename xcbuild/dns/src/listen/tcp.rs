//! Connections: messages with their length before them, as many as the client likes, answered in
//! the order in which the answers are ready (RFC 7766).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{sleep, timeout};

use crate::chain::Client;
use crate::event::{Event, Transport};
use crate::proxy::{Handled, Proxy};

/// Queries of one connection that wait for their answers; then reading stops.
const PIPELINE: usize = 32;
/// Rest after the kernel refused a connection, as when files run out.
const REST: Duration = Duration::from_millis(100);

/// Accepts connections until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, proxy: Rc<Proxy>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let seats = Arc::new(Semaphore::new(proxy.limits.tcp_clients));
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                proxy.tell(&Event::Warning(format!("can't accept a connection: {error}")));
                sleep(REST).await;
                continue;
            }
        };
        // No seat: hung up on at once, which the client sees, instead of left to wait.
        if let Ok(seat) = Arc::clone(&seats).try_acquire_owned() {
            let proxy = Rc::clone(&proxy);
            tokio::task::spawn_local(async move {
                // A client that breaks off is its own business.
                let _ = converse(stream, client, &proxy).await;
                drop(seat);
            });
        }
    }
}

/// Reads queries until the client ends, breaks the rules, or says nothing for too long.
async fn converse(stream: TcpStream, client: SocketAddr, proxy: &Rc<Proxy>) -> io::Result<()> {
    // Answers are single writes; waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    let (mut reader, writer) = stream.into_split();
    let writer = Rc::new(Mutex::new(writer));
    let places = Arc::new(Semaphore::new(PIPELINE));
    let idle = proxy.timing.tcp_idle;
    loop {
        let message = timeout(idle, read(&mut reader)).await??;
        let (transport, asked, size) = (Transport::Tcp, Instant::now(), message.len());
        let client = Client { address: client, transport, asked, size };
        match proxy.handle(&message, client) {
            Handled::Ignored => return Ok(()),
            Handled::Answer(answer) => write(&writer, &answer, idle).await?,
            Handled::Later(pending) => {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
                let writer = Rc::clone(&writer);
                tokio::task::spawn_local(async move {
                    let answer = pending.answer().await;
                    let _ = write(&writer, &answer, idle).await;
                    drop((pending, place));
                });
            }
        }
    }
}

async fn read(reader: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = reader.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    reader.read_exact(&mut message).await?;
    Ok(message)
}

async fn write(writer: &Mutex<OwnedWriteHalf>, answer: &[u8], limit: Duration) -> io::Result<()> {
    let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes(), answer].concat();
    let mut writer = writer.lock().await;
    timeout(limit, writer.write_all(&framed)).await?
}
