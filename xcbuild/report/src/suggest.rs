//! The name that a person may have meant.

/// The known name that is nearest to the one that was given, if any is close enough.
///
/// Near is: at most one slip (a letter too much, too few, another, or two swapped), and one more for
/// every three letters; or one name is the beginning of the other.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(slips, candidate)| {
            let begins = name.len() > 2 && candidate.starts_with(name);
            begins || *slips <= (1 + candidate.len() / 3).min(name.len().saturating_sub(1))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `; did you mean `x`?`, or nothing where no known name is close.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["network-topology", "iptools", "env", "xnet"];
        for (name, expected) in [
            ("iptool", Some("iptools")),
            ("ip-tools", Some("iptools")),
            ("network-toplogy", Some("network-topology")),
            ("network", Some("network-topology")),
            ("evn", Some("env")),
            ("xent", Some("xnet")),
            ("kubernetes", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
