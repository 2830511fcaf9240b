//! What a console asks of a terminal, taken out of what is shown later or elsewhere.
//!
//! A shell on a serial console asks its terminal where the cursor is (`ESC [ 6 n`), and the terminal
//! types the answer. Shown by `logs`, that answer would land in the user's own shell.
//!
//! Reference: ECMA-48, 8.3.35 (DSR), 8.3.24 (DA).

const ESCAPE: u8 = 0x1b;

/// Takes queries out of what comes in pieces.
#[derive(Debug, Default)]
pub struct Queries {
    /// The start of a control sequence, until it is known which it is.
    begun: Vec<u8>,
}

impl Queries {
    /// The next piece without queries; the start of a sequence at its end comes with the next one.
    pub fn remove(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            match (self.begun.len(), byte) {
                (_, ESCAPE) => {
                    shown.append(&mut self.begun);
                    self.begun.push(byte);
                }
                (0, _) => shown.push(byte),
                (1, b'[') | (2.., 0x20..=0x3f) => self.begun.push(byte),
                (2.., b'n' | b'c') => self.begun.clear(),
                _ => {
                    shown.append(&mut self.begun);
                    shown.push(byte);
                }
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::Queries;

    #[test]
    fn queries_are_taken_out_and_nothing_else_however_it_is_cut() {
        let rows: [(&[u8], &[u8]); 7] = [
            (b"vm-001 / > \x1b[6n", b"vm-001 / > "),
            (b"\x1b[6n\x1b[0c\x1b[?6ncd", b"cd"),
            (b"\x1b[1;31mred\x1b[0m", b"\x1b[1;31mred\x1b[0m"),
            (b"n\x1bnc\x1b[Kc", b"n\x1bnc\x1b[Kc"),
            (b"\x1b\x1b[6nx", b"\x1bx"),
            (b"\x1b[\x1b[1mx", b"\x1b[\x1b[1mx"),
            (b"\xff\xfe", b"\xff\xfe"),
        ];
        for (text, expected) in rows {
            assert_eq!(Queries::default().remove(text), expected, "{text:?}");
            let mut queries = Queries::default();
            let pieces: Vec<u8> = text.iter().flat_map(|b| queries.remove(&[*b])).collect();
            assert_eq!(pieces, expected, "{text:?}");
        }
    }
}
