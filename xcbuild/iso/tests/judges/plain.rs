//! The crate `iso9660`, which knows neither Rock Ridge nor Joliet: it sees the plain tree, under
//! names of the plain alphabet, with all contents.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use iso9660::{DirectoryEntry, ISO9660, ISODirectory};

/// What is to be found by a plain reader: for each directory and file its kind and content, sorted.
pub(crate) fn look(image: &Path) -> Vec<(char, Vec<u8>)> {
    let plain = ISO9660::new(File::open(image).unwrap()).unwrap();
    let mut found = Vec::new();
    collect(&plain.root, &mut found);
    found.sort();
    found
}

fn collect(folder: &ISODirectory<File>, found: &mut Vec<(char, Vec<u8>)>) {
    for entry in folder.contents() {
        match entry.unwrap() {
            DirectoryEntry::Directory(below) => {
                // It gives these two names to the first two records of every directory.
                if matches!(below.identifier.as_str(), "." | "..") {
                    continue;
                }
                assert!(is_plain(&below.identifier), "{}", below.identifier);
                found.push(('d', Vec::new()));
                collect(&below, found);
            }
            DirectoryEntry::File(file) => {
                assert!(is_plain(&file.identifier), "{}", file.identifier);
                let mut content = Vec::new();
                file.read().read_to_end(&mut content).unwrap();
                found.push(('-', content));
            }
        }
    }
}

/// d-characters and a dot, at most 31 (ECMA-119 §7.4, §7.5).
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
    !name.is_empty() && name.len() <= 31 && name.chars().all(plain)
}
