//! Any text as a Corefile: read, or refused with a line that it has. Imports find a part of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xc_dns::corefile::{Outside, parse};

/// An environment with one variable, and one file, which may import itself.
struct World<'a>(&'a str);

impl Outside for World<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "A").then(|| "a{b".to_owned())
    }

    fn import(&self, _: &str, what: &str) -> Result<Vec<(String, String)>, String> {
        let half = self.0.chars().take(self.0.chars().count() / 2).collect();
        if what == "none" { Err("none".to_owned()) } else { Ok(vec![("part".to_owned(), half)]) }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse("Corefile", text, &World(text)) {
        Ok(corefile) => drop(corefile),
        Err(e) => {
            assert!((1..=text.split('\n').count()).contains(&e.place.line), "{e}");
            assert!(!e.message.is_empty());
        }
    }
});
