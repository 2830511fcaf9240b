//! The order of the pass: threads read ahead, what they have read leaves in turn.
//!
//! Of `n` threads each reads every `n`-th batch, so that the next one is always known without
//! asking anybody. A thread is at most [`AHEAD`] batches ahead; buffers come back to it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::{Batch, Batches, Part, read, threads};
use crate::error::Error;
use crate::layout::Layout;

/// How many filled buffers wait for the writer, for each thread.
const AHEAD: usize = 4;

/// Who reads the parts of large files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Large {
    /// The threads, as small ones.
    Read,
    /// Nobody: they come through as they are, for somebody with a better way.
    Leave,
}

/// A batch whose turn has come.
pub(crate) enum Turn<'b> {
    /// What it holds, and where that belongs in the image.
    Bytes { offset: u64, bytes: &'b [u8] },
    /// A part of a large file that was left.
    Left(&'b Part),
}

/// A batch, with its bytes if it was read.
struct Filled {
    batch: Batch,
    buffer: Vec<u8>,
    len: usize,
}

/// Gives all batches to `put`, front to back; large files in parts of so many bytes.
pub(crate) fn copy(
    layout: &Layout<'_>,
    large: Large,
    part: u64,
    mut put: impl FnMut(Turn<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    thread::scope(|scope| {
        let threads = threads();
        let mut lanes = Vec::with_capacity(threads);
        for lane in 0..threads {
            let (filled, receiver) = sync_channel(AHEAD);
            let (back, empty) = sync_channel(AHEAD + 2);
            let batches = Batches::new(layout, part).skip(lane).step_by(threads);
            scope.spawn(move || read_lane(layout, batches, large, &filled, &empty));
            lanes.push((receiver, back));
        }
        for (receiver, back) in lanes.iter().cycle() {
            // A lane that is at its end was the next in turn, so all are.
            let Ok(filled) = receiver.recv() else { return Ok(()) };
            let Filled { batch, buffer, len } = filled?;
            match left(&batch, large) {
                Some(part) => put(Turn::Left(part))?,
                None => {
                    let (offset, _) = batch.span(layout);
                    put(Turn::Bytes { offset, bytes: &buffer[..len] })?;
                }
            }
            // The lane may be done and need no buffers any more.
            drop(back.try_send(buffer));
        }
        Ok(())
    })
}

/// The part that nobody reads, if the batch is one.
fn left(batch: &Batch, large: Large) -> Option<&Part> {
    match batch {
        Batch::Part(part) if large == Large::Leave => Some(part),
        _ => None,
    }
}

/// Reads batches, until the end or until nobody listens any more.
fn read_lane(
    layout: &Layout<'_>,
    batches: impl Iterator<Item = Batch>,
    large: Large,
    filled: &SyncSender<Result<Filled, Error>>,
    empty: &Receiver<Vec<u8>>,
) {
    for batch in batches {
        let result = if left(&batch, large).is_some() {
            Ok(Filled { batch, buffer: Vec::new(), len: 0 })
        } else {
            // What came back may be the nothing of a part that was left.
            let back = empty.try_recv().ok().filter(|buffer| !buffer.is_empty());
            let mut buffer = back.unwrap_or_else(read::buffer);
            read::fill(layout, &batch, &mut buffer).map(|len| Filled { batch, buffer, len })
        };
        let failed = result.is_err();
        if filled.send(result).is_err() || failed {
            return;
        }
    }
}
