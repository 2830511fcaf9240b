//! Disks that come back as they were, and disks that are refused.

use super::write::{CLUSTER, Layout, REFCOUNTS_A_BLOCK};
use super::{MAGIC, Qcow2, to_raw, write};
use std::os::unix::fs::FileExt;

#[test]
fn a_disk_comes_back_as_it_was_and_holes_take_no_room() {
    let mut raw = tempfile::tempfile().unwrap();
    raw.set_len(600 << 20).unwrap();
    for (at, text) in [(0, "boot"), (CLUSTER - 2, "over"), (513 << 20, "second table")] {
        raw.write_all_at(text.as_bytes(), at).unwrap();
    }
    raw.set_len((600 << 20) + 512).unwrap();
    let mut out = tempfile::tempfile().unwrap();
    write(&raw, &mut out).unwrap();
    assert!(out.metadata().unwrap().len() < 12 * CLUSTER);
    let disk = Qcow2::open(out).unwrap();
    let mut again = tempfile::tempfile().unwrap();
    to_raw(&disk, &mut again).unwrap();
    assert_eq!(again.metadata().unwrap().len(), (600 << 20) + 512);
    let mut text = [0; 12];
    again.read_exact_at(&mut text, 513 << 20).unwrap();
    assert_eq!(&text, b"second table");
    let mut text = [0; 4];
    again.read_exact_at(&mut text, CLUSTER - 2).unwrap();
    assert_eq!(&text, b"over");
    let bytes = |mut file: &std::fs::File| {
        let mut bytes = Vec::new();
        std::io::Seek::rewind(&mut file).unwrap();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, 1 << 20), &mut bytes).unwrap();
        bytes
    };
    assert!(bytes(&raw) == bytes(&again));
    raw = again;
    drop(raw);
}

#[test]
fn refcount_blocks_count_themselves() {
    let layout = Layout::new(100_000, 2 * REFCOUNTS_A_BLOCK - 10);
    assert!(layout.total <= layout.refcount_blocks * REFCOUNTS_A_BLOCK);
    assert_eq!(layout.refcount_blocks, 3);
}

/// The header of a disk of one cluster, with changed bytes.
fn header(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let raw = tempfile::tempfile().unwrap();
    raw.set_len(CLUSTER).unwrap();
    let mut out = tempfile::tempfile().unwrap();
    write(&raw, &mut out).unwrap();
    let mut bytes = vec![0; 104];
    out.read_exact_at(&mut bytes, 0).unwrap();
    for (at, change) in changes {
        bytes[*at..at + change.len()].copy_from_slice(change);
    }
    bytes
}

fn opened(header: &[u8]) -> Result<Qcow2, String> {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(header, 0).unwrap();
    Qcow2::open(file).map_err(|e| e.to_string())
}

/// Where things are, and what they mean: qemu's `docs/interop/qcow2.txt`.
#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let features = |bits: u64| bits.to_be_bytes();
    let rows: &[(usize, &[u8], &str)] = &[
        (0, b"\0", "not a qcow2 disk"),
        (4, &1_u32.to_be_bytes(), "of version 1"),
        (4, &4_u32.to_be_bytes(), "of version 4"),
        (8, &1_u64.to_be_bytes(), "with a backing file"),
        (20, &8_u32.to_be_bytes(), "cluster size is not valid"),
        (20, &22_u32.to_be_bytes(), "cluster size is not valid"),
        (24, &u64::MAX.to_be_bytes(), "L1 table is not valid"),
        (32, &2_u32.to_be_bytes(), "an encrypted qcow2 disk"),
        (36, &u32::MAX.to_be_bytes(), "L1 table is not valid"),
        (72, &features(1), "not closed properly"),
        (72, &features(1 << 1), "marked as corrupt"),
        (72, &features(1 << 2), "with an external data file"),
        (72, &features(1 << 3), "another compression type"),
        (72, &features(1 << 4), "extended L2 entries"),
        (72, &features(1 << 5), "an unknown kind (bit 5)"),
        (72, &features(1 << 63), "an unknown kind (bit 63)"),
        (100, &72_u32.to_be_bytes(), "length is not valid"),
    ];
    assert!(opened(&header(&[])).is_ok());
    for (at, change, expected) in rows {
        let e = opened(&header(&[(*at, change)])).unwrap_err();
        assert!(e.contains(expected), "{at}: {e}");
    }
    // Compatible features and those that any writer may clear don't concern a reader.
    assert!(opened(&header(&[(80, &[0xff; 16])])).is_ok());
    // Version 2 ends before the features.
    let two: &[(usize, &[u8])] = &[(4, &2_u32.to_be_bytes()), (72, &[0xff; 32])];
    assert!(opened(&header(two)).is_ok());
    assert!(opened(&header(two)[..72]).is_ok());
    for length in [0, 3, 4, 20, 71] {
        assert!(opened(&header(two)[..length]).is_err(), "{length}");
    }
    assert!(opened(&header(&[])[..103]).is_err());
    assert_eq!(&header(&[])[..4], MAGIC);
}
