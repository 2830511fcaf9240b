//! What the dynamic loader's cache says of the libraries that a run used.
//!
//! The loader reads `/etc/ld.so.cache` for every program, and takes from it the path of each library
//! by name. The file changes whenever any package with a library is installed; so not its content
//! counts, but what it says of the names that were looked up. Programs that read it for themselves
//! (`ldconfig -p`) depend on its content.
//!
//! The form is that of glibc's `sysdeps/generic/dl-cache.h`, `struct cache_file_new`.

use std::collections::BTreeSet;

/// Where the cache is.
pub(super) const CACHE: &str = "/etc/ld.so.cache";

/// At the start of a cache, or after the older form that some systems write before it.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// Bytes before the entries, and bytes of an entry.
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// What a cache says of some names: a line for each of their entries, in its order. `None` if it
/// has a form that is not known.
pub(super) fn answers(cache: &[u8], names: &BTreeSet<String>) -> Option<String> {
    let start = memchr::memmem::find(cache, MAGIC)?;
    let cache = &cache[start..];
    let number = |at: usize| {
        let bytes: [u8; 4] = cache.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let text = |at: usize| {
        let rest = cache.get(at..)?;
        std::str::from_utf8(&rest[..memchr::memchr(0, rest)?]).ok()
    };
    let mut lines = String::new();
    for entry in 0..number(20)? {
        let at = HEADER + entry * ENTRY;
        let name = text(number(at + 4)?)?;
        if names.contains(name) {
            let hardware = cache.get(at + 16..at + 24)?.iter().map(|b| format!("{b:02x}"));
            let hardware = hardware.collect::<String>();
            lines.push_str(&format!("{name} {} {hardware}\n", text(number(at + 8)?)?));
        }
    }
    Some(lines)
}

/// Whether a name can be that of a library.
pub(super) fn is_library(name: &str) -> bool {
    name.contains(".so")
}

#[cfg(test)]
mod tests {
    use super::{CACHE, answers};

    /// `ldconfig` itself is the judge.
    #[test]
    fn same_as_ldconfig_says() {
        let Ok(cache) = std::fs::read(CACHE) else { return };
        let said = xc_sys::exec::Exec::new("/sbin/ldconfig").arg("-p").output().unwrap();
        let said = String::from_utf8(said).unwrap();
        let lines: Vec<(&str, &str)> = said
            .lines()
            .filter_map(|l| Some((l.trim().split(' ').next()?, l.split(" => ").nth(1)?)))
            .collect();
        assert!(!lines.is_empty());
        let names = lines.iter().map(|(name, _)| (*name).to_owned()).collect();
        let found = answers(&cache, &names).unwrap();
        let found: Vec<(&str, &str)> = found
            .lines()
            .map(|l| (l.split(' ').next().unwrap(), l.split(' ').nth(1).unwrap()))
            .collect();
        assert_eq!(found, lines);
        assert_eq!(answers(&cache, &["libnone.so".into()].into()).unwrap(), "");
        for cut in [0, 10, 30, 60, 100] {
            assert_eq!(
                answers(&cache[..cut.min(cache.len())], &["x".into()].into()),
                None,
                "{cut}"
            );
        }
    }
}
