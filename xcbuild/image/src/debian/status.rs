//! What apt takes for installed: a file in dpkg's format.
//!
//! The packages of the set below are there with their own control paragraphs, so that versions,
//! virtual packages and conflicts count. What a node does without, though packages depend on it
//! (an initramfs builder, a configuration dialogue), is there by name alone, in a version that
//! satisfies every lower bound.

const INSTALLED: &str = "Status: install ok installed";

/// A paragraph for a package that isn't there but counts as installed.
pub(super) fn assumed(name: &str, architecture: &str) -> String {
    format!(
        "Package: {name}\n{INSTALLED}\nArchitecture: {architecture}\nMulti-Arch: foreign\n\
         Version: 9999\nMaintainer: xcbuild\nDescription: counts as installed\n"
    )
}

/// A paragraph for a package that is there, from its control paragraph.
pub(super) fn installed(control: &str) -> String {
    // After the name, where dpkg has it; the order is free.
    match control.split_once('\n') {
        Some((first, rest)) => format!("{first}\n{INSTALLED}\n{}\n", rest.trim_end()),
        None => format!("{control}\n{INSTALLED}\n"),
    }
}

/// The file of those paragraphs.
pub(super) fn file(paragraphs: &[String]) -> String {
    paragraphs.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{assumed, file, installed};

    #[test]
    fn paragraphs_are_dpkg_s() {
        let there = installed("Package: jq\nVersion: 1.6\nDescription: a\n b\n");
        insta::assert_snapshot!(file(&[there, assumed("udev", "amd64")]), @"
        Package: jq
        Status: install ok installed
        Version: 1.6
        Description: a
         b

        Package: udev
        Status: install ok installed
        Architecture: amd64
        Multi-Arch: foreign
        Version: 9999
        Maintainer: xcbuild
        Description: counts as installed
        ");
    }
}
