//! How a setting is declared: once, in a file of [`super::table`], for all who have to know it.
//!
//! A declaration is a field of a group of settings together with its [`Definition`]. From it come the
//! typed value with its default, the option of the verbs that take it, with help and completion, what
//! `xcbuild env` prints, what overlays' scripts get, and the page `docs/settings.md`.

/// What values of a setting are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number, from the one to the other.
    Number(u64, u64),
    /// A number of bytes; K, M, G and T stand for powers of this.
    Bytes(u64),
    /// Any text.
    Text,
    /// Words with this character, or white space if it is a blank, between them.
    Words(char),
    /// Words as a shell reads them, with quotes.
    Line,
    /// The path of a file or directory.
    Path,
    /// Paths, with colons between them.
    Paths,
    /// Set or not: any word but `no` sets it.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Networks by their numbers, with commas between them.
    Networks,
}

/// All that is said of a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    /// Its variable, as in `__nvm`.
    pub(crate) variable: &'static str,
    /// What it is, in a line.
    pub(crate) doc: &'static str,
    /// What its values are.
    pub(crate) kind: Kind,
    /// What it is where it is not set: the first of these whose variables, `$NAME`, have values.
    pub(crate) defaults: &'static [&'static str],
    /// Where it comes from where it is not set and that is not a text.
    pub(crate) origin: Option<&'static str>,
    /// Its option without the two dashes.
    pub(crate) option: Option<&'static str>,
    /// The option in one letter.
    pub(crate) short: Option<char>,
    /// What help calls its value.
    pub(crate) value_name: &'static str,
    /// The value of an option that is given without one.
    pub(crate) bare: Option<&'static str>,
    /// The verbs that take the option, `dns serve` for one below a verb.
    pub(crate) verbs: &'static [&'static [&'static str]],
    /// Whether only those verbs know it, so that it is an error elsewhere.
    pub(crate) own: bool,
    /// Whether single nodes have it, by their number: `__mem201`.
    pub(crate) per_node: bool,
    /// Whether `env` prints it, and overlays' scripts always have it; a text for where it is not set.
    pub(crate) env: Option<&'static str>,
    /// Whether overlays' scripts get it if it is set, though its name does not begin with `__`.
    pub(crate) scripts: bool,
    /// Whether nothing that is built depends on it, so that overlays' scripts never get it.
    pub(crate) neutral: bool,
}

impl Definition {
    /// A setting of that variable and kind.
    pub(crate) const fn new(variable: &'static str, kind: Kind) -> Self {
        Self {
            variable,
            doc: "",
            kind,
            defaults: &[],
            origin: None,
            option: None,
            short: None,
            value_name: "",
            bare: None,
            verbs: &[],
            own: false,
            per_node: false,
            env: None,
            scripts: false,
            neutral: false,
        }
    }

    /// Where nothing is set, it is the first of these whose variables have values.
    pub(crate) const fn defaults(self, defaults: &'static [&'static str]) -> Self {
        Self { defaults, ..self }
    }

    /// Where nothing is set, it comes from there: `the topology's`.
    pub(crate) const fn origin(self, origin: &'static str) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// It has an option, whose value help calls so.
    pub(crate) const fn option(self, option: &'static str, value_name: &'static str) -> Self {
        Self { option: Some(option), value_name, ..self }
    }

    /// The option has a letter.
    pub(crate) const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    /// The option may be given without a value, which then is this one.
    pub(crate) const fn bare(self, value: &'static str) -> Self {
        Self { bare: Some(value), ..self }
    }

    /// These verbs take the option.
    pub(crate) const fn verbs(self, verbs: &'static [&'static [&'static str]]) -> Self {
        Self { verbs, ..self }
    }

    /// No other verb knows it.
    pub(crate) const fn own(self) -> Self {
        Self { own: true, ..self }
    }

    /// Single nodes have it as well.
    pub(crate) const fn per_node(self) -> Self {
        Self { per_node: true, ..self }
    }

    /// `env` prints it.
    pub(crate) const fn env(self) -> Self {
        Self { env: Some(""), ..self }
    }

    /// `env` prints it, and this where it is not set.
    pub(crate) const fn env_or(self, text: &'static str) -> Self {
        Self { env: Some(text), ..self }
    }

    /// Overlays' scripts get it.
    pub(crate) const fn scripts(self) -> Self {
        Self { scripts: true, ..self }
    }

    /// Nothing that is built depends on it.
    pub(crate) const fn neutral(self) -> Self {
        Self { neutral: true, ..self }
    }

    /// The same with its doc line.
    pub(crate) const fn documented(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// The doc line without the blank that doc comments begin with.
    pub(crate) fn text(&self) -> &'static str {
        self.doc.trim()
    }

    /// Whether a verb takes the option.
    pub(crate) fn is_taken_by(&self, verb: &str) -> bool {
        self.verbs.iter().any(|verbs| verbs.contains(&verb))
    }

    /// Whether verbs that show or build take the option for what comes later.
    pub(crate) fn is_shared(&self) -> bool {
        self.option.is_some() && !self.own && self.kind != Kind::Flag
    }

    /// Whether its values are paths, which are relative to where the user is.
    pub(crate) fn is_path(&self) -> bool {
        matches!(self.kind, Kind::Path | Kind::Paths)
    }

    /// What stands for a value where none is set, for people.
    pub(crate) fn default_text(&self) -> Option<&'static str> {
        let listed = self.env.filter(|text| !text.is_empty());
        self.origin.or_else(|| self.defaults.first().copied()).or(listed)
    }
}

/// A group of settings: a struct with a field for each, its values, and their definitions.
pub(crate) trait Group: Sized {
    /// The definitions of all fields.
    const ALL: &'static [Definition];
    /// The names of all fields.
    const FIELDS: &'static [&'static str];

    /// The values of all fields.
    ///
    /// # Errors
    /// [`super::SettingsError`] for the first that is not valid.
    fn read(given: &super::Given) -> Result<Self, super::SettingsError>;
}

/// Declares a group of settings. Each field's definition is also a constant of the same name.
macro_rules! settings {
    ($(#[$about:meta])* pub(crate) struct $group:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $definition:expr;)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $group {
            $($(#[doc = $doc])+ pub(crate) $field: $type,)*
        }

        #[allow(non_upper_case_globals, dead_code)]
        impl $group {
            $(
                #[doc = concat!("The definition of `", stringify!($field), "`.")]
                pub(crate) const $field: $crate::settings::definition::Definition =
                    $definition.documented(concat!($($doc),+));
            )*
        }

        impl $crate::settings::definition::Group for $group {
            const ALL: &'static [$crate::settings::definition::Definition] = &[$(Self::$field),*];
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read(
                given: &$crate::settings::Given,
            ) -> Result<Self, $crate::settings::SettingsError> {
                Ok(Self { $($field: $crate::settings::value::Field::read(&Self::$field, given)?,)* })
            }
        }
    };
}
pub(crate) use settings;
