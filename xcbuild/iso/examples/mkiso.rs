//! Makes an image of a directory: `mkiso DIR FILE`, `-` for stdout. For measuring the crate alone.

use std::error::Error;
use std::fs::File;
use std::io;

use xc_iso::{Image, Joliet, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(directory), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("usage: mkiso DIR FILE".into());
    };
    let mut image = Image::new(Options { joliet: Joliet::Standard, ..Options::default() });
    image.tree("", directory)?;
    if target == "-" {
        image.write(&mut io::stdout().lock())?;
    } else {
        image.write_to_file(&File::create(target)?)?;
    }
    Ok(())
}
