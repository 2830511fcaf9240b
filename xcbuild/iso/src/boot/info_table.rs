//! The boot information table: what a boot loader is told about itself, in its own bytes 8 to 63
//! (mkisofs(8), "EL TORITO BOOT INFORMATION TABLE").

use crate::descriptor;
use crate::sector::Sector;

/// The bytes that the table takes, the first 8 included.
pub(crate) const END: usize = 64;
/// A boot loader is held in memory for it, so it has a limit.
pub(crate) const CONTENT_MAX: u64 = 32 << 20;

/// Writes the table into a boot loader of at least [`END`] bytes that will lie at `start`.
pub(crate) fn patch(content: &mut [u8], start: Sector) {
    let sum = checksum(&content[END..]);
    let length = content.len() as u32;
    let numbers = [descriptor::FIRST, start.0, length, sum];
    let table = &mut content[8..END];
    table.fill(0);
    for (field, number) in table.chunks_exact_mut(4).zip(numbers) {
        field.copy_from_slice(&number.to_le_bytes());
    }
}

/// The sum of all 32-bit words, the last filled up with zeros.
fn checksum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain(std::iter::once(&last));
    words.fold(0, |sum, &word| sum.wrapping_add(u32::from_le_bytes(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_where_the_loader_is() {
        let mut loader = [7; END + 5];
        loader[END..].copy_from_slice(&[1, 0, 0, 0x80, 2]);
        patch(&mut loader, Sector(0x1234));
        let expected = [16, 0, 0, 0, 0x34, 0x12, 0, 0, 69, 0, 0, 0, 3, 0, 0, 0x80];
        assert_eq!(loader[..8], [7; 8]);
        assert_eq!(loader[8..24], expected);
        assert_eq!(loader[24..END], [0; 40]);
    }
}
