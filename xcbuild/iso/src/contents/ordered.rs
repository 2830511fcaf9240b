//! Contents to a stream: threads read, batches leave in turn.
//!
//! Of `n` threads each reads every `n`-th batch, so that the next one is always known without
//! asking anybody. A thread is at most [`AHEAD`] batches ahead; buffers come back to it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::batch::BATCH;
use super::{Batches, read, threads};
use crate::error::Error;
use crate::layout::Layout;

/// How many filled buffers wait for the writer, for each thread.
const AHEAD: usize = 4;

/// A batch that has been read.
struct Filled {
    buffer: Vec<u8>,
    /// Where it belongs in the image.
    offset: u64,
    len: usize,
}

/// Reads all batches and gives them to `put`, with their places, front to back.
pub(crate) fn copy(
    layout: &Layout<'_>,
    mut put: impl FnMut(u64, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    thread::scope(|scope| {
        let threads = threads();
        let mut lanes = Vec::with_capacity(threads);
        for lane in 0..threads {
            let (filled, receiver) = sync_channel(AHEAD);
            let (back, empty) = sync_channel(AHEAD + 2);
            scope.spawn(move || read_lane(layout, lane, threads, &filled, &empty));
            lanes.push((receiver, back));
        }
        for (receiver, back) in lanes.iter().cycle() {
            // A lane that is at its end was the next in turn, so all are.
            let Ok(filled) = receiver.recv() else { return Ok(()) };
            let Filled { buffer, offset, len } = filled?;
            put(offset, &buffer[..len])?;
            // The lane may be done and need no buffers any more.
            drop(back.try_send(buffer));
        }
        Ok(())
    })
}

/// Reads every `step`-th batch, until the end or until nobody listens any more.
fn read_lane(
    layout: &Layout<'_>,
    lane: usize,
    step: usize,
    filled: &SyncSender<Result<Filled, Error>>,
    empty: &Receiver<Vec<u8>>,
) {
    for batch in Batches::new(layout, BATCH as u64).skip(lane).step_by(step) {
        let mut buffer = empty.try_recv().unwrap_or_else(|_| read::buffer());
        let (offset, _) = batch.span(layout);
        let result =
            read::fill(layout, &batch, &mut buffer).map(|len| Filled { buffer, offset, len });
        let failed = result.is_err();
        if filled.send(result).is_err() || failed {
            return;
        }
    }
}
