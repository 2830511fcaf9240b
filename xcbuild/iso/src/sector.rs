//! The unit of everything in an image: the logical sector of 2048 bytes (ECMA-119 §6.1.2), here
//! always the same as the logical block (§6.2.2).

use crate::error::Error;

/// Bytes in a logical sector.
pub const SECTOR: usize = 2048;

/// The number of a sector from the start of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sector(pub u32);

impl Sector {
    /// Where the sector starts in the image, in bytes.
    pub fn offset(self) -> u64 {
        u64::from(self.0) * SECTOR as u64
    }
}

/// How many sectors `bytes` need.
pub(crate) fn sectors(bytes: u64) -> u64 {
    bytes.div_ceil(SECTOR as u64)
}

/// How many zero bytes follow `bytes` to fill its last sector.
pub(crate) fn padding(bytes: usize) -> usize {
    bytes.next_multiple_of(SECTOR) - bytes
}

/// Hands out the sectors of an image from front to back.
#[derive(Debug)]
pub(crate) struct Allocator {
    next: u64,
}

impl Allocator {
    pub(crate) fn starting_at(sector: u64) -> Self {
        Self { next: sector }
    }

    /// Takes as many sectors as `bytes` need and returns the first.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<Sector, Error> {
        let first = self.used()?;
        self.next = self.next.saturating_add(sectors(bytes));
        self.used()?;
        Ok(first)
    }

    /// Skips to the next multiple of `bytes`, itself a multiple of the sector.
    pub(crate) fn align(&mut self, bytes: u64) {
        self.next = self.next.next_multiple_of(sectors(bytes).max(1));
    }

    /// Leaves sectors empty until there are so many.
    pub(crate) fn pad_to(&mut self, sectors: u64) {
        self.next = self.next.max(sectors);
    }

    /// How many sectors have been handed out, those before the first included.
    pub(crate) fn used(&self) -> Result<Sector, Error> {
        u32::try_from(self.next).map(Sector).map_err(|_| Error::ImageTooLarge)
    }
}
