//! Tests that a table has the rows of.

use crate::Need;

/// One row of a table, as a test.
pub struct Case {
    pub(crate) name: String,
    pub(crate) needs: Vec<Need>,
    pub(crate) ignored: Option<String>,
    pub(crate) run: Box<dyn FnOnce() + Send>,
}

impl Case {
    /// A test of that name, in which all but letters and digits become `_`.
    pub fn new(name: &str, run: impl FnOnce() + Send + 'static) -> Self {
        let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
        let name = name.chars().map(plain).collect();
        Self { name, needs: Vec::new(), ignored: None, run: Box::new(run) }
    }

    /// What this row needs, besides what the whole table does.
    #[must_use]
    pub fn needs(mut self, needs: &[Need]) -> Self {
        self.needs.extend(needs);
        self
    }

    /// It can't be run anywhere, for a reason that is not the machine's: what it would judge by has a
    /// fault, or the format has no room for what is asked.
    #[must_use]
    pub fn ignored(self, reason: Option<&str>) -> Self {
        Self { ignored: reason.map(ToOwned::to_owned), ..self }
    }
}
