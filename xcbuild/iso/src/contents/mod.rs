//! The contents of files on their way into the image.
//!
//! An image of many small files costs less for its bytes than for opening, reading and closing
//! each file, so several threads do that. The unit of work is the [`Batch`]: neighbouring small
//! files up to a mebibyte together, or a part of a large file.
//!
//! Several threads read ahead and one writes in turn ([`ordered`]): to a stream because it must,
//! and to a file because file systems let only one write to it at a time. What a file has over a
//! stream ([`positioned`]): large contents are copied by the kernel, or their blocks are shared, and
//! holes stay holes. The bytes are the same: places are fixed before. Memory is a few buffers a
//! thread.

pub(crate) mod batch;
pub(crate) mod ordered;
pub(crate) mod positioned;
pub(crate) mod read;

pub(crate) use batch::{Batch, Batches, Part};

/// How many threads read and copy. More than a few only wait for each other.
pub(crate) fn threads() -> usize {
    const MOST: usize = 8;
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MOST))
}
