//! Any text as a manifest: read, or refused with a line that it has.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xc_overlay::manifest::parse;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse("ovl.toml", text) {
        Ok(manifest) => {
            for tree in manifest.trees() {
                assert!(!tree.template.starts_with('/'), "{}", tree.template);
            }
        }
        Err(e) => {
            assert!(e.line >= 1 && e.line <= text.split('\n').count() + 1, "{e}");
            assert!(!e.message.is_empty());
        }
    }
});
