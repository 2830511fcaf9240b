//! Access lists: the texts that tars have (`acl(5)`, short and long form) and the bytes that the
//! kernel takes (`linux/posix_acl_xattr.h`: a version, then tag, permissions and number of each).

/// The version of the bytes.
const VERSION: u32 = 2;
/// Bytes of an entry.
const ENTRY: usize = 8;
/// The number of entries that name nobody.
const NONE: u32 = u32::MAX;
/// Tags: their numbers, their words, and whether they name a user or group.
const TAGS: [(u16, &str, bool); 6] = [
    (0x01, "user", false),
    (0x02, "user", true),
    (0x04, "group", false),
    (0x08, "group", true),
    (0x10, "mask", false),
    (0x20, "other", false),
];

/// The bytes of a list. `None` for what is none, and for one that names a user or group by a name
/// alone: what number that is in a node is not known.
pub(super) fn from_text(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.split([',', '\n']).map(|line| line.split('#').next().unwrap_or_default());
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    let mut entries = lines.map(entry).collect::<Option<Vec<(u16, u16, u32)>>>()?;
    entries.sort_unstable_by_key(|(tag, _, number)| (*tag, *number));
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, permissions, number) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(number.to_le_bytes());
    }
    Some(bytes)
}

/// `user:1001:rw-`, or as star has it `user:lisa:rw-:1001`.
fn entry(line: &str) -> Option<(u16, u16, u32)> {
    let mut fields = line.split(':');
    let (word, name, letters) = (fields.next()?, fields.next()?, fields.next()?);
    let number = fields.next().unwrap_or(name);
    let is_word = |tag: &str| tag == word || (word.len() == 1 && tag.starts_with(word));
    let (tag, ..) =
        TAGS.iter().find(|(_, tag, named)| is_word(tag) && *named != name.is_empty())?;
    let number = if name.is_empty() { NONE } else { number.parse().ok()? };
    let bit = |permissions: u16, letter| match letter {
        'r' => Some(permissions | 4),
        'w' => Some(permissions | 2),
        'x' => Some(permissions | 1),
        '-' => Some(permissions),
        _ => None,
    };
    Some((*tag, letters.trim_end().chars().try_fold(0, bit)?, number))
}

/// The text of a list, with numbers; `None` for bytes that are none.
pub(super) fn to_text(acl: &[u8]) -> Option<Vec<u8>> {
    let one = |entry: &[u8; ENTRY]| -> Option<String> {
        let [t0, t1, p0, p1, n0, n1, n2, n3] = *entry;
        let (tag, permissions) = (u16::from_le_bytes([t0, t1]), u16::from_le_bytes([p0, p1]));
        let (_, word, named) = TAGS.iter().find(|(number, ..)| *number == tag)?;
        let number = u32::from_le_bytes([n0, n1, n2, n3]);
        let number = if *named { number.to_string() } else { String::new() };
        let letter = |bit, letter| if permissions & bit != 0 { letter } else { '-' };
        let (r, w, x) = (letter(4, 'r'), letter(2, 'w'), letter(1, 'x'));
        Some(format!("{word}:{number}:{r}{w}{x}"))
    };
    let entries = entries(acl)?.iter().map(one).collect::<Option<Vec<_>>>()?;
    Some(entries.join(",").into_bytes())
}

/// Whether a list says no more than the mode does: it names nobody.
pub(super) fn is_mode(acl: &[u8]) -> bool {
    entries(acl).is_some_and(|entries| entries.len() == 3)
}

fn entries(acl: &[u8]) -> Option<&[[u8; ENTRY]]> {
    let (entries, rest) = acl.strip_prefix(&VERSION.to_le_bytes())?.as_chunks();
    rest.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::{from_text, is_mode, to_text};

    #[test]
    fn texts_of_all_tars_become_the_kernels_bytes() {
        let expected = "user::rw-,user:1001:rwx,group::r--,group:7:---,mask::rwx,other::---";
        for text in [
            expected,
            "user::rw-\nuser:1001:rwx\ngroup::r--\ngroup:7:---\nmask::rwx\nother::---\n",
            "u::rw,u:1001:rwx,g::r,g:7:-,m::rwx,o::-",
            "user::rw-,user:lisa:rwx:1001,group::r--,group:adm:---:7,mask::rwx,other::---",
            "other::---,user:1001:rwx\t#effective:rw-,user::rw-,group::r--,group:7:---,mask::rwx",
        ] {
            let acl = from_text(text.as_bytes()).unwrap_or_default();
            assert_eq!(acl.len(), 4 + 6 * 8, "{text}");
            assert_eq!(acl[..12], [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255]);
            assert_eq!(to_text(&acl).as_deref(), Some(expected.as_bytes()), "{text}");
            assert!(!is_mode(&acl));
        }
        assert!(is_mode(&from_text(b"user::rw-,group::r--,other::r--").unwrap()));
        for bad in ["user:lisa:rwx", "user", "nobody::rwx", "user::rwz", "mask:1:r"] {
            assert_eq!(from_text(bad.as_bytes()), None, "{bad}");
        }
    }
}
