//! The options that genisoimage and xorrisofs spell with a single `-` and more than one letter.

use std::ffi::OsString;

/// Those that `create` knows too.
const LONG: &[&str] = &[
    "-volid",
    "-rock",
    "-rational-rock",
    "-joliet",
    "-iso-level",
    "-eltorito-boot",
    "-eltorito-catalog",
    "-efi-boot",
    "-joliet-long",
    "-no-emul-boot",
    "-boot-load-size",
    "-boot-info-table",
    "-eltorito-alt-boot",
    "-isohybrid-mbr",
    "-isohybrid-gpt-basdat",
    "-publisher",
    "-preparer",
    "-appid",
    "-sysid",
    "-volset",
];

/// Puts a second `-` in front of them.
pub(super) fn normal(arguments: Vec<OsString>) -> Vec<OsString> {
    let word = |at: usize| arguments.get(at).and_then(|word| word.to_str());
    if word(1) != Some("iso") || word(2) != Some("create") {
        return arguments;
    }
    let long = |argument: OsString| match argument.to_str() {
        Some(text) if LONG.contains(&text) => format!("-{text}").into(),
        _ => argument,
    };
    arguments.into_iter().map(long).collect()
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn only_known_options_of_create_change() {
        let rows = [
            ("x iso create -R -boot-info-table d", "x iso create -R --boot-info-table d"),
            ("x iso create -unknown -o f", "x iso create -unknown -o f"),
            ("x iso ls -joliet-long", "x iso ls -joliet-long"),
            ("x rsh 1 create -publisher", "x rsh 1 create -publisher"),
        ];
        for (given, expected) in rows {
            let done = normal(given.split(' ').map(Into::into).collect());
            assert_eq!(done.join(" ".as_ref()), expected);
        }
    }
}
