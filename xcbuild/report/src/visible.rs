//! Text for people: what would disturb a terminal or break a line is escaped.

/// Bytes as text. Control characters and `\\` are escaped as Rust writes them, what is not UTF-8 byte
/// by byte, so that every name is shown in one line and different names differ.
pub fn visible(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unsafe(c) || c == '\\' { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// A text of several lines, as it is but for what would disturb a terminal.
pub fn lines(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && !matches!(c, '\n' | '\t') {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Control characters, those of a second set (C1) among them, and those that change the direction in
/// which text is written.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{lines, visible};

    #[test]
    fn what_would_disturb_is_escaped() {
        let rows: [(&[u8], &str); 6] = [
            (b"plain name", "plain name"),
            ("größe €".as_bytes(), "größe €"),
            (b"a\nb\x1b[31m", "a\\nb\\u{1b}[31m"),
            (b"a\\b", "a\\\\b"),
            (b"\xff\xc3", "\\xff\\xc3"),
            ("\u{9b}x\u{202e}".as_bytes(), "\\u{9b}x\\u{202e}"),
        ];
        for (given, expected) in rows {
            assert_eq!(visible(given), expected);
        }
        assert_eq!(lines("a\n\tb\\c\x1b]0;x\x07\r"), "a\n\tb\\c\\u{1b}]0;x\\u{7}\\r");
    }
}
