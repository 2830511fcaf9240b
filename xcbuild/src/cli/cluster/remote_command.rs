//! A command for nodes, as `rsh` and `exec` take it.

use xc_sys::shell::quote;

/// The command for a node, joined for its shell or exact.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteCommand {
    /// The command: its words are joined by blanks, and the node's shell reads the result
    #[arg(num_args = 0.., allow_hyphen_values = true)]
    command: Vec<String>,
    /// A program and its arguments, which reach it as they are: they are quoted for the node's shell
    #[arg(last = true, value_name = "PROGRAM", conflicts_with = "command")]
    exact: Vec<String>,
}

impl RemoteCommand {
    /// The words for ssh, which joins them by blanks; none for a shell.
    pub(crate) fn words(&self) -> Vec<String> {
        match self.exact.is_empty() {
            true => self.command.clone(),
            false => self.exact.iter().map(|word| quote(word)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::RemoteCommand;

    #[derive(Parser)]
    struct Line {
        #[arg(long)]
        bg: bool,
        node: String,
        #[command(flatten)]
        command: RemoteCommand,
    }

    #[test]
    fn words_are_joined_and_those_after_a_double_dash_are_exact() {
        let rows: &[(&[&str], bool, &str)] = &[
            (&["1"], false, ""),
            (&["1", "ls", "-l", "a b"], false, "ls -l a b"),
            (&["1", "ls | wc"], false, "ls | wc"),
            (&["1", "ls", "--bg"], false, "ls --bg"),
            (&["--bg", "1", "sleep", "9"], true, "sleep 9"),
            (&["1", "kubectl", "exec", "p", "--", "ls", "$x"], false, "kubectl exec p -- ls $x"),
            (&["1", "--", "ls", "-l", "a b", "", "$x"], false, "ls -l 'a b' '' '$x'"),
            (&["1", "--", "sh", "-c", "echo it's", "--", "x"], false, r"sh -c 'echo it'\''s' -- x"),
        ];
        for (words, bg, expected) in rows {
            let line = Line::try_parse_from([&["rsh"], *words].concat()).unwrap();
            assert_eq!((line.command.words().join(" ").as_str(), line.bg), (*expected, *bg));
        }
    }
}
