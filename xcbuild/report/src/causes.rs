//! An error as a text.

/// An error and its causes as one text; a cause that the text before it already quotes is left out.
pub fn causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::causes;

    #[test]
    fn causes_are_joined_and_not_repeated() {
        let e = anyhow!("no such file").context("can't read `x`: no such file").context("no build");
        assert_eq!(causes(&e), "no build: can't read `x`: no such file");
    }
}
