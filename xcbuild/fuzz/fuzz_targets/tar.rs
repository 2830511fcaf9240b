//! Any bytes as a tar: a tree or an error, and what is a tree can be written and read again.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use xc_store::tree::{Blob, from_tar, write_tar};

fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = read(bytes) else { return };
    for (path, _) in tree.iter() {
        assert!(path.parts().all(|part| part != b".." && !part.is_empty()), "{path}");
    }
    let mut written = Vec::new();
    write_tar(&tree, &mut written).expect("a tree is written");
    let again = read(&written).expect("what we write is read");
    let mut twice = Vec::new();
    write_tar(&again, &mut twice).expect("a tree is written");
    assert!(written == twice, "what we write is what we read");
});

fn read(bytes: &[u8]) -> Result<xc_store::tree::Tree, xc_store::tree::TarError> {
    let mut file = tempfile::Builder::new().tempfile_in("/dev/shm").expect("memory");
    file.write_all(bytes).expect("memory");
    from_tar(&Blob::open(file.path()).expect("memory"))
}
