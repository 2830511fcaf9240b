use super::*;
use crate::corefile::outside::Nothing;

/// `keys | directive args {option;option} | ...` of each block.
fn shown(blocks: &[Block]) -> Vec<String> {
    let text = |words: &[Word]| -> String {
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    let directive = |directive: &Directive| {
        let options: Vec<String> = directive.options.iter().map(|line| text(line)).collect();
        let options =
            if options.is_empty() { String::new() } else { format!(" {{{}}}", options.join(";")) };
        let all = format!("{} {}{options}", directive.name.text, text(&directive.arguments));
        all.trim().replace("  ", " ")
    };
    blocks
        .iter()
        .map(|block| {
            let directives: Vec<String> = block.directives.iter().map(directive).collect();
            format!("{} | {}", text(&block.keys), directives.join(" | "))
        })
        .collect()
}

struct Files;

impl Outside for Files {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "PORT").then(|| "53".to_owned())
    }

    fn import(&self, from: &str, what: &str) -> Result<Vec<(String, String)>, String> {
        match what {
            "part" => Ok(vec![("part".to_owned(), "log\nforward . 192.0.2.9\n".to_owned())]),
            "self" => Ok(vec![("self".to_owned(), "import self\n".to_owned())]),
            _ => Err(format!("not there for {from}")),
        }
    }
}

#[test]
fn blocks_are_understood() {
    for (text, expected) in [
        ("", vec![]),
        (".:53 {\n}\n", vec![".:53 | "]),
        (
            ". {\n log\n forward . 192.0.2.1 {\n  max_fails 1\n  except a b\n }\n cache\n}",
            vec![". | log | forward . 192.0.2.1 {max_fails 1;except a b} | cache"],
        ),
        (
            "a b, c,\nd {\n whoami\n}\n.:54 {\n errors\n}\n",
            vec!["a b c d | whoami", ".:54 | errors"],
        ),
        (". { log }", vec![". | log"]),
        (".:53\nlog\nforward . 192.0.2.1", vec![".:53 | log | forward . 192.0.2.1"]),
        (".", vec![". | "]),
        (".:{$PORT} x{%PORT%}{$NONE}y {\n}", vec![".:53 x53y | "]),
        (
            "(s) {\n log\n template IN A {\n  rcode REFUSED\n }\n}\n. {\n import s\n errors\n}",
            vec![". | log | template IN A {rcode REFUSED} | errors"],
        ),
        (". {\n import part\n errors\n}", vec![". | log | forward . 192.0.2.9 | errors"]),
        (
            "(o) {\n fallthrough\n}\n. {\n hosts {\n  10.0.0.1 a\n  import o\n }\n}",
            vec![". | hosts {10.0.0.1 a;fallthrough}"],
        ),
        (
            ". {\n template IN A {\n  answer \"{{ .Name }} 60 IN A 10.0.0.1\"\n }\n}",
            vec![". | template IN A {answer {{ .Name }} 60 IN A 10.0.0.1}"],
        ),
    ] {
        assert_eq!(shown(&blocks("f", text, &Files).unwrap()), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, expected) in [
        (".:53 {\n log\n", "f:2 - Error during parsing: unexpected end of the file"),
        (". {\n log {\n", "f:2 - Error during parsing: unexpected end of the file"),
        ("{\n log\n}", "f:1 - Error during parsing: a key is expected before `{`"),
        (".\n{\n}\n}", "f:4 - Error during parsing: unexpected `}`"),
        (".\nlog\n}", "f:3 - Error during parsing: unexpected `}`"),
        (
            ". {\n hosts {\n  a {\n",
            "f:3 - Error during parsing: unexpected `{` in the options of hosts",
        ),
        ("a, {\n}", "f:1 - Error during parsing: a key is expected after the comma"),
        ("a,", "f:1 - Error during parsing: a key is expected after the comma"),
        (". {\n import nothing\n}", "f:2 - Error during parsing: import nothing: not there for f"),
        (". {\n import\n}", "f:2 - Error during parsing: import needs a snippet or a file"),
        (". {\n import a b\n}", "f:2 - Error during parsing: import takes one argument, not `b`"),
        (". {\n import self\n}", "self:1 - Error during parsing: too many imports"),
        ("(a) {\n import a\n}\n. {\n import a\n}", "f:2 - Error during parsing: too many imports"),
        ("(a) {\n}\n(a) {\n}", "f:3 - Error during parsing: the snippet (a) is defined twice"),
        ("(a)\nlog", "f:1 - Error during parsing: the snippet (a) needs braces"),
        ("(a) {\nlog", "f:2 - Error during parsing: the snippet (a) has no closing `}`"),
    ] {
        let error = blocks("f", text, &Files).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    assert!(blocks("f", ". {\n import x\n}", &Nothing).is_err());
}
