//! How much memory an entry takes: `memory ENTRIES` adds so many files in directories of 1000, lays
//! the image out and prints the bytes that each cost at most.

use std::error::Error;
use std::fs;
use std::io::{self, Write};

use xc_iso::{Image, Joliet, Meta, Options, Source};

fn main() -> Result<(), Box<dyn Error>> {
    let entries: u64 = std::env::args().nth(1).ok_or("usage: memory ENTRIES")?.parse()?;
    let before = peak()?;
    let mut image = Image::new(Options { joliet: Joliet::Standard, ..Options::default() });
    for number in 0..entries {
        let directory = format!("directory-{}", number / 1000);
        if number % 1000 == 0 {
            image.dir(&directory, Meta::default())?;
        }
        let path = format!("/usr/share/some/{directory}/file-{number}").into();
        let source = Source::Sized { path, len: 0 };
        image.file(format!("{directory}/file-{number}"), Meta::default(), source)?;
    }
    let built = peak()?;
    image.write(&mut io::sink())?;
    let (built, all) = ((built - before) / entries, (peak()? - before) / entries);
    Ok(writeln!(io::stdout(), "{built} bytes an entry built, {all} at most when written")?)
}

/// The most memory that this process has had.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes * 1024)
}
