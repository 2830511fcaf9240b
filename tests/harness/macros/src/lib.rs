//! The attributes of `xc-harness`, which says what they mean.
//!
//! By hand on purpose: all they do is to put a line behind a function, for which the usual parser of
//! Rust would be the largest dependency of the tests.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// A test: `#[test]`, or with what it asks for, `#[test(needs = [QEMU], serial)]`.
///
/// Each part is a method of `xc_harness::Test`: `needs` takes a list, `on` a fixture; `last`, `serial`
/// and `slow` stand alone.
#[proc_macro_attribute]
pub fn test(parts: TokenStream, function: TokenStream) -> TokenStream {
    registered(parts, function, "Test::function")
}

/// A function that gives a test for each row of a table, `Vec<xc_harness::Case>`. What it asks for by
/// parts, as in [`macro@test`], holds for every row.
#[proc_macro_attribute]
pub fn tests(parts: TokenStream, function: TokenStream) -> TokenStream {
    registered(parts, function, "Test::table")
}

/// The function, and its record behind it.
fn registered(parts: TokenStream, function: TokenStream, constructor: &str) -> TokenStream {
    let Some(name) = name_of(&function) else {
        return r#"compile_error!("expected a function");"#.parse().unwrap_or_default();
    };
    let methods: String = split(parts).iter().map(|part| method(part)).collect();
    let record = format!(
        "::xc_harness::inventory::submit! {{
            ::xc_harness::{constructor}(::core::module_path!(), {name:?}, {name}){methods}
        }}"
    );
    // What was written is Rust: the function's name, and the parts as they stood.
    let record: TokenStream = record.parse().unwrap_or_default();
    [function, record].into_iter().collect()
}

/// The identifier behind `fn`.
fn name_of(function: &TokenStream) -> Option<String> {
    let mut tokens = function.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    Some(tokens.next()?.to_string())
}

/// The parts of an attribute, between commas.
fn split(parts: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut list = vec![Vec::new()];
    for token in parts {
        match (&token, list.last_mut()) {
            (TokenTree::Punct(mark), _) if mark.as_char() == ',' => list.push(Vec::new()),
            (_, Some(last)) => last.push(token),
            (_, None) => {}
        }
    }
    list.retain(|part| !part.is_empty());
    list
}

/// `name` is a call without arguments, `name = value` one with it, `name = [values]` with a slice.
fn method(part: &[TokenTree]) -> String {
    let [name, rest @ ..] = part else { return String::new() };
    let [_equals, value @ ..] = rest else { return format!(".{name}()") };
    let slice = matches!(value, [TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket);
    let value: TokenStream = value.iter().cloned().collect();
    format!(".{name}({}{value})", if slice { "&" } else { "" })
}
