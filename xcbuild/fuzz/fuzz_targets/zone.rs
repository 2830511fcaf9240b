//! Any text as a master file: read, or refused with a line that it has; what is read answers any query
//! for a name of the zone.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xc_dns::fuzzing::answers_of_zone;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(e) = answers_of_zone(text, "example.org") {
        assert!((1..=text.split('\n').count()).contains(&e.place.line), "{e}");
        assert!(!e.message.is_empty());
    }
});
