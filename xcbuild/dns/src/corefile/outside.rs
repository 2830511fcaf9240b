//! What a Corefile refers to outside of itself. The parser does no I/O: its caller brings this.

/// Environment variables and imported files.
pub trait Outside {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// Names and texts of the files that `import WHAT` in the file `from` means, in their order.
    ///
    /// # Errors
    /// Why one can't be read.
    fn import(&self, from: &str, what: &str) -> Result<Vec<(String, String)>, String>;
}

/// Nothing: no variables, no files.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Outside for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn import(&self, _: &str, _: &str) -> Result<Vec<(String, String)>, String> {
        Err("there are no files here".to_owned())
    }
}
