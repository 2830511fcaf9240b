//! Names, strings and lengths of time in master files.

use crate::wire::Name;

/// A name, below `origin` unless it ends with a dot; `@` is the origin.
pub(crate) fn name(text: &str, origin: &Name) -> Result<Name, String> {
    if text == "@" {
        return Ok(origin.clone());
    }
    if text == "." {
        return Ok(Name::root());
    }
    let (mut wire, mut label) = (Vec::new(), Vec::new());
    let mut ended = false;
    for piece in pieces(text).ok_or_else(|| format!("`{text}`: bad escape"))? {
        ended = piece == Piece::Dot;
        match piece {
            Piece::Dot => end_label(&mut wire, &mut label, text)?,
            Piece::Byte(byte) => label.push(byte),
        }
    }
    if !ended {
        end_label(&mut wire, &mut label, text)?;
        wire.extend_from_slice(origin.wire());
    } else {
        wire.push(0);
    }
    match wire.len() <= Name::MAX {
        true => Ok(Name::from_wire(wire)),
        false => Err(format!("`{text}` is longer than 255 bytes")),
    }
}

fn end_label(wire: &mut Vec<u8>, label: &mut Vec<u8>, text: &str) -> Result<(), String> {
    match label.len() {
        0 => return Err(format!("`{text}` has an empty label")),
        1..=63 => wire.push(label.len() as u8),
        _ => return Err(format!("`{text}`: a label is longer than 63 bytes")),
    }
    wire.append(label);
    Ok(())
}

/// A character string (RFC 1035 section 3.3), with its length before it.
pub(crate) fn string(text: &str) -> Result<Vec<u8>, String> {
    let pieces = pieces(text).ok_or_else(|| format!("`{text}`: bad escape"))?;
    let bytes = pieces.into_iter().map(|piece| match piece {
        Piece::Dot => b'.',
        Piece::Byte(byte) => byte,
    });
    let bytes: Vec<u8> = bytes.collect();
    let length = u8::try_from(bytes.len());
    let length = length.map_err(|_| "a string is longer than 255 bytes".to_owned())?;
    Ok([&[length], bytes.as_slice()].concat())
}

/// Seconds, as a number or as `1h30m` has it.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    let (mut total, mut number) = (0_u32, None);
    for char in text.chars() {
        if let Some(digit) = char.to_digit(10) {
            number = Some(number.unwrap_or(0_u32).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match char.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    match number {
        Some(rest) => total.checked_add(rest),
        None => (!text.is_empty()).then_some(total),
    }
    .filter(|seconds| *seconds <= i32::MAX as u32)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A dot between labels.
    Dot,
    Byte(u8),
}

/// The bytes of a word, `\X` and `\DDD` taken for what they mean; `None` for a bad escape.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        pieces.push(match byte {
            b'.' => Piece::Dot,
            b'\\' => match bytes.next()? {
                digit if digit.is_ascii_digit() => {
                    let mut value = u32::from(digit - b'0');
                    for _ in 0..2 {
                        let digit = bytes.next().filter(u8::is_ascii_digit)?;
                        value = value * 10 + u32::from(digit - b'0');
                    }
                    Piece::Byte(u8::try_from(value).ok()?)
                }
                other => Piece::Byte(other),
            },
            other => Piece::Byte(other),
        });
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_unless_they_end() {
        let origin = "example.org".parse().unwrap();
        for (text, expected) in [
            ("www", Ok("www.example.org.")),
            ("www.", Ok("www.")),
            ("a.b", Ok("a.b.example.org.")),
            ("@", Ok("example.org.")),
            (".", Ok(".")),
            ("*", Ok("*.example.org.")),
            (r"a\.b", Ok(r"a\.b.example.org.")),
            (r"a\046b.", Ok(r"a\.b.")),
            (r"\@", Ok("@.example.org.")),
            ("a..b", Err("`a..b` has an empty label")),
            (r"a\25", Err(r"`a\25`: bad escape")),
            (r"a\999", Err(r"`a\999`: bad escape")),
        ] {
            let found = name(text, &origin).map(|name| name.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
        assert!(name(&"a".repeat(64), &origin).unwrap_err().contains("63 bytes"));
        assert!(name(&"a.".repeat(130), &origin).unwrap_err().contains("255 bytes"));
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in [
            ("3600", Some(3600)),
            ("1h", Some(3600)),
            ("1H30M", Some(5400)),
            ("1w2d3", Some(777_603)),
            ("", None),
            ("h", None),
            ("1x", None),
            ("99999999999", None),
            ("4294967295", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn strings_have_their_length_and_escapes() {
        assert_eq!(string(r#"a.b\"\001"#).unwrap(), b"\x05a.b\"\x01");
        assert_eq!(string("").unwrap(), [0]);
        assert!(string(&"x".repeat(256)).is_err());
    }
}
