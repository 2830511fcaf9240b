//! What the calls of a program ask of the file tree.

use std::path::PathBuf;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenFlags {
    /// To read, write, or both.
    pub read: bool,
    /// As above.
    pub write: bool,
    /// Made if it isn't there.
    pub create: bool,
    /// Emptied first.
    pub truncate: bool,
    /// Only a handle is wanted (`O_PATH`), not its content.
    pub path_only: bool,
    /// It has to be a directory.
    pub directory: bool,
    /// Whether a link at the end is followed.
    pub follow: bool,
}

/// What a call asks of the file tree. Paths are absolute; links in them are not followed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Opens a file.
    Open(PathBuf, OpenFlags),
    /// Asks what is there.
    Stat {
        /// Where.
        path: PathBuf,
        /// Whether a link at the end is followed.
        follow: bool,
    },
    /// Lists a directory.
    List(PathBuf),
    /// Runs a program.
    Execute {
        /// The program.
        path: PathBuf,
        /// The first of its arguments, its own name before them.
        arguments: Vec<Vec<u8>>,
    },
    /// Makes a directory, a link or a device.
    Create(PathBuf),
    /// Gives a file a second name.
    Link {
        /// The file.
        from: PathBuf,
        /// Its second name.
        to: PathBuf,
    },
    /// Gives a file another name.
    Rename {
        /// The name it has.
        from: PathBuf,
        /// The name it gets.
        to: PathBuf,
    },
    /// Removes a name.
    Remove(PathBuf),
    /// Connects to a program of this machine, at a path if the name is one.
    Connect(Option<PathBuf>),
    /// Makes a socket of a network.
    Network,
    /// Asks for the host's names.
    Uname,
    /// Something that can't be followed; what it is, for people.
    Unknown(&'static str),
}
