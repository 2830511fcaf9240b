//! The contents of files on their way into the image.
//!
//! An image of many small files costs less for its bytes than for opening, reading and closing
//! each file, so several threads do that. The unit of work is the [`Batch`]: neighbouring small
//! files up to a mebibyte together, or a part of a large file.
//!
//! * To a stream ([`ordered`]) threads fill buffers and one writes them in turn.
//! * To a file ([`positioned`]) each thread writes what it has read, at its place; of large files
//!   the kernel copies the bytes itself, or shares the blocks where the file system can, and holes
//!   stay holes.
//!
//! Either way the bytes are the same: places are fixed before. Memory is a few buffers a thread.

pub(crate) mod batch;
pub(crate) mod ordered;
pub(crate) mod positioned;
pub(crate) mod read;

pub(crate) use batch::{Batch, Batches};

/// How many threads read and copy. More than a few only wait for each other.
pub(crate) fn threads() -> usize {
    const MOST: usize = 8;
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST))
}
