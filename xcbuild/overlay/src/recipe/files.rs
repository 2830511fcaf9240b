//! `[[file]]`: files written in place, from templates, from the host, or from variables.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use fs_err as fs;

use super::{Context, Ingredient, Step};
use crate::manifest::{File, NodePath, template};
use xc_store::key::Digest;
use xc_store::tree::{Content, Entry, Kind, Tree, TreePath};

struct Written {
    path: TreePath,
    entry: Entry,
    digest: Digest,
}

/// The steps of all files.
///
/// # Errors
/// When a file that one comes from can't be read, or a template names an unknown variable.
pub(super) fn steps(context: &Context<'_>) -> Result<Vec<Box<dyn Step>>> {
    let step = |file: &File| -> Result<Box<dyn Step>> {
        let path = &file.path.get_ref().0;
        if let Some(from) = &file.joined {
            return Ok(Box::new(Joined::new(file, from)));
        }
        let bytes = content(context, file).with_context(|| format!("the file `/{path}`"))?;
        let digest = Digest::of(&bytes);
        let (uid, gid) = (file.owner.uid, file.owner.gid);
        let kind = Kind::File(Content::bytes(bytes));
        let entry = Entry { uid, gid, ..Entry::new(file.mode.0, kind) };
        Ok(Box::new(Written { path: path.clone(), entry, digest }))
    };
    context.manifest.files.iter().map(step).collect()
}

fn content(context: &Context<'_>, file: &File) -> Result<Vec<u8>> {
    let rendered = |text: &str| {
        template::render(text, |name| context.variable(name))
            .map_err(|name| anyhow!("the variable `{name}` has no value"))
    };
    if let Some(text) = &file.text {
        Ok(text.clone().into_bytes())
    } else if let Some(text) = &file.template {
        Ok(rendered(text.get_ref())?.into_bytes())
    } else if let Some(from) = &file.from {
        let text = fs::read_to_string(context.local(&from.0))?;
        undeclared(context, &text).map_or_else(|| Ok(rendered(&text)?.into_bytes()), Err)
    } else if let Some(host) = &file.host {
        let host = rendered(host.get_ref())?;
        if !Path::new(&host).is_absolute() {
            bail!("`{host}` is not an absolute path on the host");
        }
        Ok(fs::read(host)?)
    } else {
        let names = file.exports.iter().flatten().map(String::as_str);
        Ok(exports(context, names).into_bytes())
    }
}

/// A template in a file of its own is not checked with the manifest.
fn undeclared(context: &Context<'_>, text: &str) -> Option<anyhow::Error> {
    let declared = |name: &str| {
        name == "SETUP" || context.manifest.variables.keys().any(|k| k.get_ref() == name)
    };
    let name = template::variables(text).find(|name| !declared(name))?;
    Some(anyhow!("its template names `{name}`, which is not declared under [variables]"))
}

/// Lines `NAME='value'` that a shell reads, in the order of the patterns and, within one, of names.
fn exports<'a>(context: &Context<'_>, patterns: impl Iterator<Item = &'a str>) -> String {
    let line = |(name, value): (&str, &str)| format!("{name}='{}'\n", value.replace('\'', r"'\''"));
    let matching = |pattern: &str| -> String {
        let Some(prefix) = pattern.strip_suffix('*') else {
            return context
                .params
                .variables
                .get(pattern)
                .map(|v| line((pattern, v)))
                .unwrap_or_default();
        };
        let all = context.params.variables.iter();
        let rest = all.filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value)));
        rest.filter(|(name, _)| template::is_name(name)).map(line).collect()
    };
    patterns.map(matching).collect()
}

impl Step for Written {
    fn label(&self) -> String {
        "[[file]]".into()
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        let Entry { mode, uid, gid, .. } = self.entry;
        let value = format!("{mode:04o} {uid}:{gid} {}", self.digest);
        vec![Ingredient::new(format!("file /{}", self.path), value)]
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        let mut tree = Tree::new();
        tree.insert(self.path.clone(), self.entry.clone());
        Ok(tree)
    }
}

/// A file made of others that the steps before gave.
struct Joined {
    path: TreePath,
    from: Vec<TreePath>,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Joined {
    fn new(file: &File, from: &[NodePath]) -> Self {
        Self {
            path: file.path.get_ref().0.clone(),
            from: from.iter().map(|path| path.0.clone()).collect(),
            mode: file.mode.0,
            uid: file.owner.uid,
            gid: file.owner.gid,
        }
    }
}

impl Step for Joined {
    fn label(&self) -> String {
        "[[file]]".into()
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        let Self { path, from, mode, uid, gid } = self;
        let from: Vec<String> = from.iter().map(|p| format!("/{p}")).collect();
        let value = format!("{mode:04o} {uid}:{gid} joined {}", from.join(" "));
        vec![Ingredient::new(format!("file /{path}"), value)]
    }

    fn yields(&self, before: &Tree) -> Result<Tree> {
        let mut bytes = Vec::new();
        for directory in &self.from {
            if before.get(directory).is_none() {
                bail!("`/{}` is to be joined from `/{directory}`, which is not there", self.path);
            }
            for (_, entry) in before.below(directory) {
                if let Kind::File(content) = &entry.kind {
                    bytes.extend(content.read()?);
                }
            }
        }
        let kind = Kind::File(Content::bytes(bytes));
        let entry = Entry { uid: self.uid, gid: self.gid, ..Entry::new(self.mode, kind) };
        let mut tree = Tree::new();
        tree.insert(self.path.clone(), entry);
        Ok(tree)
    }
}
