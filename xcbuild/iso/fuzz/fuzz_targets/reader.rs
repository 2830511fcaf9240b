//! Any bytes as an image: nothing may panic, run for ever or take more memory than the image.
#![no_main]

use std::io::{Read, sink};

use libfuzzer_sys::fuzz_target;
use xc_iso::SECTOR;
use xc_iso::read::{Input, Names, Reader, verify};

/// Contents may lie over each other; that much of them is read.
const READ_MAX: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    // The system area means nothing, so that inputs begin with the first descriptor.
    let image = [&[0; 16 * SECTOR][..], input].concat();
    for names in [None, Some(Names::Joliet), Some(Names::Plain)] {
        if let Ok(reader) = Reader::open_as(&image[..], names) {
            read(&reader);
        }
    }
});

fn read<I: Input>(reader: &Reader<I>) {
    let _ = verify(reader);
    let mut left = READ_MAX;
    let _ = reader.walk(|path, entry| {
        assert!(path.split(|&b| b == b'/').all(|name| !matches!(name, b"" | b"." | b"..")));
        if let Ok(content) = reader.content(entry) {
            left -= std::io::copy(&mut content.take(left), &mut sink()).unwrap_or(0);
        }
        if left == 0 { Err(()) } else { Ok(()) }
    });
}
