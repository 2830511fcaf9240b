//! Writes the seeds of the fuzz targets, small images and programs: `fuzz_seeds fuzz/seeds`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use xc_iso::{DeviceKind, Image, Joliet, Meta, Options, SECTOR, Source};

const META: Meta = Meta { mode: 0o755, uid: 0, gid: 0, mtime: 0 };

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: fuzz_seeds DIR")?);
    fs::create_dir_all(folder.join("reader"))?;
    fs::create_dir_all(folder.join("writer"))?;
    for (name, image) in [("types", types()?), ("deep", deep()?), ("long", long()?)] {
        let mut bytes = Vec::new();
        image.write(&mut bytes)?;
        // The reader's target puts an empty system area in front.
        fs::write(folder.join("reader").join(name), &bytes[16 * SECTOR..])?;
    }
    fs::write(folder.join("writer/mixed"), program(1, b"text"))?;
    // All that makes an image bootable, with a loader that has room for its table.
    fs::write(folder.join("writer/boot"), program(0xf1, &[b'x'; 100]))?;
    Ok(())
}

fn types() -> Result<Image, xc_iso::Error> {
    let mut image = Image::new(Options { joliet: Joliet::Standard, ..Options::default() });
    image.dir("dir", META)?;
    image.file("dir/file", META, Source::Bytes(b"content".into()))?;
    image.hardlink("hard", "dir/file")?;
    image.symlink("link", META, "../a/./b")?;
    image.device("null", META, DeviceKind::Character, 1, 3)?;
    image.fifo("fifo", META)?;
    Ok(image)
}

fn deep() -> Result<Image, xc_iso::Error> {
    let mut image = Image::new(Options::default());
    for depth in 1..=16 {
        image.dir(vec!["d"; depth].join("/"), META)?;
    }
    Ok(image)
}

fn long() -> Result<Image, xc_iso::Error> {
    let mut image = Image::new(Options { joliet: Joliet::Long, ..Options::default() });
    image.symlink("n".repeat(250), META, "target/".repeat(100))?;
    image.file("n".repeat(251), META, Source::Bytes(vec![1; 3000]))?;
    Ok(image)
}

/// A program for the writer's target: flags, and a few entries of every kind.
fn program(flags: u8, content: &[u8]) -> Vec<u8> {
    let mut program = vec![flags];
    for (what, name) in
        [(0, "d"), (1, "e"), (7, "f"), (7, "g"), (2, "l"), (3, "p"), (4, "s"), (5, "b"), (6, "h")]
    {
        program.extend([what, what / 2, name.len() as u8]);
        program.extend_from_slice(name.as_bytes());
        program.extend([0o55; 16]);
        program.extend([1, 3, 0, 0, 0]);
        // Files and links have a text more.
        if matches!(what, 2 | 7) {
            program.push(content.len() as u8);
            program.extend_from_slice(content);
        }
    }
    program
}
