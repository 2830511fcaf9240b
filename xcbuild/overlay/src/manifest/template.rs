//! Texts with variables: `${NAME}` is the variable's value, `$${` is `${`.
//!
//! Braces are needed, so that shell files can be templates and keep their own `$name`.

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The variables that a template names, in the order of their places.
pub fn variables(template: &str) -> impl Iterator<Item = &str> {
    pieces(template).filter_map(|piece| match piece {
        Piece::Variable(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// The template with the values in place of the variables.
///
/// # Errors
/// The name of the first variable that has no value.
pub fn render(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut text = String::with_capacity(template.len());
    for piece in pieces(template) {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Variable(name) => text.push_str(&value(name).ok_or(name)?),
        }
    }
    Ok(text)
}

fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, left) = first_piece(rest);
        rest = left;
        Some(piece)
    })
}

fn first_piece(text: &str) -> (Piece<'_>, &str) {
    if let Some(left) = text.strip_prefix("$${") {
        return (Piece::Text("${"), left);
    }
    if let Some((name, left)) = text.strip_prefix("${").and_then(|t| t.split_once('}'))
        && is_name(name)
    {
        return (Piece::Variable(name), left);
    }
    // What only looks like a variable (`${1:-x}`) is text, up to the next `$`.
    let end = text.char_indices().skip(1).find(|(_, c)| *c == '$').map_or(text.len(), |(at, _)| at);
    (Piece::Text(&text[..end]), &text[end..])
}

/// Whether it is a name as shells take them.
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let start = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    start && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::{render, variables};

    fn value(name: &str) -> Option<String> {
        (name != "NONE").then(|| format!("<{name}>"))
    }

    #[test]
    fn only_braced_names_are_replaced() {
        for (template, text) in [
            ("", ""),
            ("${A}", "<A>"),
            ("x${A}y${_b1}", "x<A>y<_b1>"),
            ("$A $1 $ $$", "$A $1 $ $$"),
            ("$${A}", "${A}"),
            ("${1} ${A:-x} ${", "${1} ${A:-x} ${"),
            ("é${A}é", "é<A>é"),
        ] {
            assert_eq!(render(template, value).unwrap(), text, "{template}");
        }
        assert_eq!(render("a${NONE}", value).unwrap_err(), "NONE");
        assert_eq!(variables("${A}$${B}${C}").collect::<Vec<_>>(), ["A", "C"]);
    }
}
