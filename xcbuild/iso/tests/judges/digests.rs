//! Digests of the golden images, so that no byte changes unnoticed. A change that is meant is
//! entered here, with its reason in the commit, and raises [`xc_iso::FORMAT`]; it makes every cached
//! image of every user stale.

use sha2::{Digest, Sha256};
use xc_iso::{IsoNames, Joliet, Options};

use crate::golden;

/// The first eight bytes of the SHA-256 of each golden image: with Joliet, and with short names.
const PINNED: [(&str, &str, &str); 11] = [
    ("empty", "8150aa1e903a5354", "8f8c1aa8772dc5c8"),
    ("types", "c8826109dc4941f6", "4f449888d6bfbdfb"),
    ("attributes", "6f412271e6a536e7", "a1dd9079f7d277c4"),
    ("names", "1434a5d3334afdd0", "df2197972868a281"),
    ("symlinks", "0f17ec159c11a2f7", "c0fe753d05e19a89"),
    ("long symlinks", "e4bf79560b9089fa", "4e538173f4a3203f"),
    ("longest symlinks", "8bce5cd03f1aaa0b", "778d4af7aad05af2"),
    ("hardlinks", "111e34926c91467b", "5b98caa63453de29"),
    ("sizes", "6abbe4e8fa33046d", "281260d506d6973c"),
    ("deep", "7c2be2e2a5bc06e4", "28872ea3ad1e5118"),
    ("crowd", "f07936468a5b0b16", "d363d36d234b7912"),
];

#[test]
fn golden_images_keep_their_bytes() {
    let digest = |bytes: Vec<u8>| {
        let digest = Sha256::digest(bytes);
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let both = |(name, tree): golden::Golden| {
        let joliet = Options { joliet: Joliet::Standard, ..Options::default() };
        let short = Options { iso_names: IsoNames::Short, alignment: 4096, ..Options::default() };
        let [joliet, short] = [joliet, short].map(|o| digest(tree().bytes(o).unwrap()));
        (name, joliet, short)
    };
    let found = golden::ALL.map(both);
    let expected = PINNED.map(|(name, joliet, short)| (name, joliet.to_owned(), short.to_owned()));
    assert_eq!(found.as_slice(), expected.as_slice());
}
