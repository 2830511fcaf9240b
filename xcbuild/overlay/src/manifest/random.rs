//! Damaged manifests: read, or refused with a line that they have.

use proptest::collection::vec;
use proptest::prelude::*;

use super::parse;

const ALL: &str = include_str!("../../../../tests/it/mutation/manifest.toml");

proptest! {
    #[test]
    fn damaged_manifests_are_read_or_refused_by_line(
        changes in vec((any::<prop::sample::Index>(), "[ -~\n\u{e5}]{0,3}"), 0..6),
    ) {
        let mut text: Vec<char> = ALL.chars().collect();
        for (at, new) in changes {
            let at = at.index(text.len());
            text.splice(at..at + 1, new.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(e) = parse("ovl.toml", &text) {
            prop_assert!(e.line >= 1 && e.line <= text.split('\n').count());
            prop_assert!(!e.message.is_empty());
        }
    }
}
