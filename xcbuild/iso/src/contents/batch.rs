//! Cutting the contents of an image into units of work.

use std::ops::Range;

use crate::layout::Layout;

/// The most bytes of a batch of small files. A larger file is worked on in parts.
pub(crate) const BATCH: usize = 1 << 20;

/// A unit of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Whole files, as indices into [`Layout::files`].
    Files(Range<usize>),
    /// A part of a large file.
    Part(Part),
}

/// A part of a large file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Index into [`Layout::files`].
    pub file: usize,
    /// Where it starts in the file, in bytes.
    pub from: u64,
    pub len: u64,
}

impl Part {
    /// Where it starts in the image.
    pub(crate) fn offset(&self, layout: &Layout<'_>) -> u64 {
        layout.extent(self.file).start + self.from
    }
}

impl Batch {
    /// Where the batch starts in the image and how many bytes it spans.
    pub(crate) fn span(&self, layout: &Layout<'_>) -> (u64, u64) {
        match self {
            Self::Files(files) => {
                let start = layout.extent(files.start).start;
                (start, layout.extent(files.end - 1).end - start)
            }
            Self::Part(part) => (part.offset(layout), part.len),
        }
    }
}

/// All batches of an image, front to back, large files in parts of so many bytes.
pub(crate) struct Batches<'a> {
    layout: &'a Layout<'a>,
    part: u64,
    file: usize,
    from: u64,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(layout: &'a Layout<'a>, part: u64) -> Self {
        Self { layout, part, file: 0, from: 0 }
    }

    /// The files from this one on that fit into a batch together.
    fn files(&mut self) -> Batch {
        let first = self.file;
        let start = self.layout.extent(first).start;
        let fits = |&file: &usize| self.layout.extent(file).end - start <= BATCH as u64;
        let end = (first..self.layout.files.len()).take_while(fits).last().unwrap_or(first) + 1;
        self.file = end;
        Batch::Files(first..end)
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.file >= self.layout.files.len() {
            return None;
        }
        let extent = self.layout.extent(self.file);
        let len = extent.end - extent.start;
        if len <= BATCH as u64 {
            return Some(self.files());
        }
        let part = Part { file: self.file, from: self.from, len: self.part.min(len - self.from) };
        self.from += self.part;
        if self.from >= len {
            (self.file, self.from) = (self.file + 1, 0);
        }
        Some(Batch::Part(part))
    }
}
