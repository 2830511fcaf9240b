//! `[script]`: a program of the overlay that fills a directory.
//!
//! It runs in a working directory of its own, with `PATH`, `TMPDIR` and the declared variables as
//! its whole environment, and gets the directory to fill as its argument. What it declares decides
//! the layer: the program, its inputs, the host programs that it names, the variables. It is watched
//! as a `tar` script is ([`crate::trace`]), to warn of what it reads of the overlay and does
//! not declare.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use fs_err as fs;

use super::listing::{digest, ingredients};
use super::outside;
use super::{Context, Ingredient, Step};
use crate::Params;
use crate::manifest::{Identifier, LocalPath, Script};
use crate::script::execute;
use crate::trace::{RunContext, Watcher};
use xc_image::elf::{Directories, closure};
use xc_store::listing::Listing;
use xc_store::store::Store;
use xc_store::tree::{Blob, Content, Modes, Tree, from_directory, from_tar, write_tar};
use xc_sys::exec::{Exec, find_program};

struct Filled<'a> {
    name: &'a str,
    script: &'a Script,
    params: &'a Params,
    directory: PathBuf,
    variables: Vec<(String, String)>,
    ingredients: Vec<Ingredient>,
    store: &'a Store,
}

/// The step, if there is a script.
///
/// # Errors
/// When the script, one of its inputs or a program that it needs is not there.
pub(super) fn step<'a>(context: &Context<'a>) -> Result<Option<Box<dyn Step + 'a>>> {
    let Some(script) = &context.manifest.script else { return Ok(None) };
    let value = |name: &String| (name.clone(), context.variable(name).unwrap_or_default());
    let variables: Vec<_> = script.variables.iter().map(|n| value(n.get_ref())).collect();
    let mut all = vec![input(context, &script.run)?];
    all.extend(script.inputs.iter().map(|i| inputs(context, i)).collect::<Result<Vec<_>>>()?);
    let mut all: Vec<Ingredient> = all.into_iter().flatten().collect();
    all.extend(host_programs(context, script)?);
    for (name, value) in &variables {
        all.push(Ingredient::new(format!("script variable {name}"), value));
    }
    Ok(Some(Box::new(Filled {
        name: context.name,
        script,
        params: context.params,
        directory: context.directory.to_path_buf(),
        variables,
        ingredients: all,
        store: context.packages.store(),
    })))
}

fn input(context: &Context<'_>, file: &LocalPath) -> Result<Vec<Ingredient>> {
    let path = context.local(&file.0);
    let len = fs::metadata(&path)?.len();
    let value = digest(&Content::Path { path, len })?;
    Ok(vec![Ingredient::new(format!("script {}", file.0), value.to_string())])
}

fn inputs(context: &Context<'_>, given: &LocalPath) -> Result<Vec<Ingredient>> {
    let path = context.local(&given.0);
    if !path.is_dir() {
        return input(context, given);
    }
    let (label, store) = (format!("script {}", given.0), context.packages.store());
    let listing = Listing::of(&path, store)?;
    let mut all = ingredients(&label, &listing);
    all.extend(outside::ingredients(&label, &path, &listing, store)?);
    Ok(all)
}

/// The programs of the host that it runs, and the libraries that these load.
fn host_programs(context: &Context<'_>, script: &Script) -> Result<Vec<Ingredient>> {
    let find = |name: &Identifier| {
        let found = find_program(&name.0, &context.params.programs);
        let missing = || anyhow!("its script needs the program `{}`, which is not on PATH", name.0);
        found.ok_or_else(missing)
    };
    let mut files: Vec<PathBuf> = script.programs.iter().map(find).collect::<Result<_>>()?;
    let names = script.programs.iter().map(|p| format!("script program {}", p.0));
    let mut names: Vec<String> = names.collect();
    for library in closure(&files, &Directories::of_host())?.libraries {
        names.push(format!("script library {}", library.display()));
        files.push(library);
    }
    let group = format!("script of {}", context.directory.display());
    let listing = Listing::of_files(&group, &files, context.packages.store())?;
    let named = names.into_iter().zip(listing.iter());
    Ok(named.map(|(name, l)| Ingredient::new(name, l.digest.to_string())).collect())
}

impl Step for Filled<'_> {
    fn label(&self) -> String {
        format!("script {}", self.script.run.0)
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        self.ingredients.clone()
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        self.fill(!self.params.untraced)
    }
}

impl Filled<'_> {
    fn fill(&self, watched: bool) -> Result<Tree> {
        let work = self.store.work_directory()?;
        let (out, tmp) = (work.path().join("out"), work.path().join("tmp"));
        fs::create_dir(&out)?;
        fs::create_dir(&tmp)?;
        let script = self.directory.join(&self.script.run.0);
        let mut exec = Exec::new(&script).arg(&out);
        exec = exec.env_clear().cwd(&tmp).env("PATH", &self.params.programs).env("TMPDIR", &tmp);
        for (name, value) in &self.variables {
            exec = exec.env(name, value);
        }
        let context = RunContext::of(&self.directory, self.params, self.store);
        let mut watcher = Watcher::new(&context.roots, context.ignored(work.path()));
        execute(exec, &script, self.params, watched, &mut watcher)?;
        if watcher.facts.set_id.is_some() {
            return self.fill(false);
        }
        self.warn_of_undeclared(&watcher);
        // The directory goes, and the layer is written later: a tar that stays open keeps all.
        let mut tar = self.store.temporary()?;
        write_tar(&from_directory(&out, Modes::Kept)?, &mut tar)?;
        Ok(from_tar(&Blob::open(tar.path())?)?)
    }

    fn warn_of_undeclared(&self, watcher: &Watcher<'_>) {
        let inputs = self.script.inputs.iter().map(|i| &i.0);
        let declared: Vec<PathBuf> =
            inputs.chain([&self.script.run.0]).map(|path| self.directory.join(path)).collect();
        let real = declared.iter().map(|p| p.canonicalize().unwrap_or_else(|_| p.clone()));
        let undeclared = watcher.read_below(&self.directory, &real.collect::<Vec<_>>());
        if let Some(first) = undeclared.first() {
            let more = match undeclared.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.store.reporter().warn(format_args!(
                "the script of `{}` reads `{first}`{more}, which its `inputs` don't declare: a change of it builds nothing",
                self.name
            ));
        }
    }
}
