//! Which qemu there is: xcbuild needs 7.2 or later.

use std::fmt;

use anyhow::{Context, Result, bail};

use xc_sys::exec::Exec;

/// The oldest qemu that is supported, that of Debian 12.
pub const OLDEST: Version = Version { major: 7, minor: 2 };

/// A release of qemu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Asks the qemu program for its version.
///
/// # Errors
/// When it is missing (the error names its package), fails, or is too old.
pub fn check(program: &str) -> Result<Version> {
    let output = Exec::new(program).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output);
    let version = parse(&text).with_context(|| {
        format!("`{program} --version` does not look like qemu's: {}", text.trim_end())
    })?;
    if version < OLDEST {
        bail!(
            "`{program}` is qemu {version}, but {OLDEST} or later is needed; install a newer qemu-system-x86 or name another program by --kvm=PROGRAM"
        );
    }
    Ok(version)
}

/// The version in the first line of `qemu --version`.
fn parse(text: &str) -> Option<Version> {
    let (_, rest) = text.split_once(" version ")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some(Version { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()? })
}

#[cfg(test)]
mod tests {
    use super::{Version, parse};

    #[test]
    fn versions_of_distributions_are_read() {
        let rows = [
            ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", Some((7, 2))),
            ("QEMU emulator version 10.0.2\nCopyright (c)", Some((10, 0))),
            ("qemu-kvm 9", None),
            ("x version y", None),
        ];
        for (text, expected) in rows {
            let expected = expected.map(|(major, minor)| Version { major, minor });
            assert_eq!(parse(text), expected, "{text}");
        }
        let (old, new) = (Version { major: 7, minor: 2 }, Version { major: 10, minor: 0 });
        assert!(old < new);
    }
}
