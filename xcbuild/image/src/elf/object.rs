//! What one file says of itself.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use goblin::elf::Elf;
use goblin::elf::dynamic::{DT_RPATH, DT_RUNPATH};

/// Why a file is not an ELF object that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is damaged.
    #[error("`{}` is a damaged ELF file: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// The part of an ELF file that matters to the loader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// 32 or 64 bits and the machine: libraries must have the same.
    pub kind: (bool, u16),
    /// The libraries that it names.
    pub needs: Vec<String>,
    /// `DT_RPATH`, without `$ORIGIN` and its like.
    pub rpath: Vec<PathBuf>,
    /// `DT_RUNPATH`, likewise.
    pub runpath: Vec<PathBuf>,
    /// The dynamic loader that it asks for.
    pub interpreter: Option<PathBuf>,
}

impl Object {
    /// Reads a file; `None` if it is not an ELF file at all, such as a script.
    ///
    /// # Errors
    /// When it can't be read, or is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>, ElfError> {
        let bytes = fs::read(path)?;
        if !bytes.starts_with(goblin::elf::header::ELFMAG) {
            return Ok(None);
        }
        // Where `$ORIGIN` is counts by the real file: the loader sees through links.
        let origin = fs::canonicalize(path)?;
        let origin = origin.parent().unwrap_or(Path::new("/"));
        let elf = Elf::parse(&bytes)
            .map_err(|e| ElfError::Damaged { path: path.into(), message: e.to_string() })?;
        Ok(Some(Self::of(&elf, origin)))
    }

    fn of(elf: &Elf<'_>, origin: &Path) -> Self {
        let paths = |tag: u64| {
            let dynamic = elf.dynamic.iter().flat_map(|d| &d.dyns).filter(|d| d.d_tag == tag);
            let texts =
                dynamic.filter_map(|d| elf.dynstrtab.get_at(usize::try_from(d.d_val).ok()?));
            let parts = texts.flat_map(|text| text.split(':')).filter(|part| !part.is_empty());
            parts.map(|part| expand(part, origin, elf.is_64)).collect::<Vec<_>>()
        };
        Self {
            kind: (elf.is_64, elf.header.e_machine),
            needs: elf.libraries.iter().map(|&name| name.to_owned()).collect(),
            rpath: paths(DT_RPATH),
            runpath: paths(DT_RUNPATH),
            interpreter: elf.interpreter.map(PathBuf::from),
        }
    }
}

fn expand(text: &str, origin: &Path, is_64: bool) -> PathBuf {
    let library = if is_64 { "lib64" } else { "lib" };
    let mut text = text.to_owned();
    for (name, value) in
        [("ORIGIN", &*origin.to_string_lossy()), ("LIB", library), ("PLATFORM", "x86_64")]
    {
        text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    PathBuf::from(text)
}
