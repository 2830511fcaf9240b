//! Which shared libraries a program needs, and which files the dynamic loader would take for them.
//!
//! The loader's rules (ld.so(8), gABI chapter 5) for a library that an object names:
//!
//! 1. a name with a slash is a path;
//! 2. `DT_RPATH` of the object and of those that loaded it, if the object has no `DT_RUNPATH`;
//! 3. `DT_RUNPATH` of the object alone;
//! 4. the directories of `/etc/ld.so.conf`;
//! 5. `/lib64`, `/usr/lib64`, `/lib`, `/usr/lib`.
//!
//! `$ORIGIN`, `$LIB` and `$PLATFORM` are expanded; a file for another machine is passed over.
//! `LD_LIBRARY_PATH` is the user's and plays no part. What a program opens later by `dlopen` can't
//! be seen: name such libraries too.

mod closure;
pub mod install;
mod object;
mod search;

pub use closure::{Closure, closure};
pub use object::{ElfError, Object};
pub use search::Directories;
