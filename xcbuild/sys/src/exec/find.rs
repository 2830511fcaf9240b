//! Where programs are.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

/// The path of this program, for starting it again.
///
/// # Errors
/// When the kernel does not say.
pub fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The program's path when it is found on `path` (the value of `PATH`).
pub fn find_program(name: &str, path: &OsStr) -> Option<PathBuf> {
    let executable =
        |p: &PathBuf| rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok() && p.is_file();
    std::env::split_paths(path).map(|d| d.join(name)).find(executable)
}
