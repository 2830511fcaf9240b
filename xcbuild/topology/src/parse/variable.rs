//! Variables: what a user may set for a topology (`CROSSROUTE=yes`), and the conditions on them.

use std::collections::BTreeMap;

use super::super::network::Template;
use super::Lookup;
use super::table::{Fields, ParseError, Value, suggestion};

/// The declared variables with their values.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, Setting>);

#[derive(Debug, Clone, Copy)]
enum Setting {
    Flag(bool),
    Template(Option<Template>),
}

/// Reads `[variable.NAME]` and asks for each one's value.
pub(super) fn read(document: &Fields<'_>, lookup: Lookup<'_>) -> Result<Variables, ParseError> {
    let mut variables = Variables::default();
    let Some(section) = document.get("variable") else { return Ok(variables) };
    for (name, value) in section.named("variable")? {
        let fields = value.fields(&["description", "kind"])?;
        fields.need("description")?.string("a sentence")?;
        let kind = fields.need("kind")?;
        let set = lookup(name).filter(|text| !text.is_empty());
        let wrong = |problem: String| value.error(format!("{name}: {problem}"));
        let setting = match kind.as_string() {
            Some("flag") => Setting::Flag(flag(set.as_deref()).map_err(wrong)?),
            Some("addresses") => {
                let template = set.as_deref().map(Template::parse).transpose();
                Setting::Template(template.map_err(wrong)?)
            }
            _ => return Err(kind.error("a variable's kind is \"flag\" or \"addresses\"")),
        };
        variables.0.insert(name.to_string(), setting);
    }
    Ok(variables)
}

fn flag(text: Option<&str>) -> Result<bool, String> {
    match text {
        Some("yes") => Ok(true),
        None | Some("no") => Ok(false),
        Some(other) => Err(format!("is `{other}`, but can only be yes or no")),
    }
}

impl Variables {
    fn named(&self, value: &Value<'_>) -> Result<(Setting, String), ParseError> {
        let name = value.string("the name of a variable")?;
        self.0.get(name).map(|setting| (*setting, name.to_string())).ok_or_else(|| {
            let near = suggestion(name, self.0.keys().map(String::as_str));
            value.error(format!("no variable `{name}` is declared{near}"))
        })
    }

    /// The address template in a variable, if the user has set it.
    pub(super) fn template(&self, value: &Value<'_>) -> Result<Option<Template>, ParseError> {
        match self.named(value)? {
            (Setting::Template(template), _) => Ok(template),
            (_, name) => Err(value.error(format!("{name} is not of kind \"addresses\""))),
        }
    }

    /// Whether the fields `when` and `unless` of a table let it count.
    pub(super) fn allow(&self, fields: &Fields<'_>) -> Result<bool, ParseError> {
        for (field, wanted) in [("when", true), ("unless", false)] {
            let Some(value) = fields.get(field) else { continue };
            match self.named(&value)? {
                (Setting::Flag(set), _) if set == wanted => {}
                (Setting::Flag(_), _) => return Ok(false),
                (_, name) => return Err(value.error(format!("{name} is not of kind \"flag\""))),
            }
        }
        Ok(true)
    }
}
