//! What the user's session says: where programs are, who the user is, which terminal there is. Any
//! value of these is valid.

use std::path::PathBuf;

use crate::settings::definition::{Definition, Kind, settings};

const fn text(variable: &'static str) -> Definition {
    Definition::new(variable, Kind::Text)
}

settings! {
    /// What the user's session says.
    pub(crate) struct HostSettings {
        /// Where programs are looked for
        path: String = text("PATH").defaults(&["/usr/sbin:/usr/bin:/sbin:/bin"]);
        /// The user's directory
        home: Option<PathBuf> = Definition::new("HOME", Kind::Path).scripts();
        /// Where users' caches are
        cache_home: Option<PathBuf> = Definition::new("XDG_CACHE_HOME", Kind::Path);
        /// Where the user's files of this session are
        runtime_directory: Option<PathBuf> = Definition::new("XDG_RUNTIME_DIR", Kind::Path);
        /// The user's name
        user: Option<String> = text("USER").scripts();
        /// The user's name where USER is not set
        login_name: Option<String> = text("LOGNAME");
        /// The user who called sudo
        sudo_user: Option<String> = text("SUDO_USER");
        /// The number of the user who called sudo
        sudo_uid: Option<String> = text("SUDO_UID");
        /// The group of the user who called sudo
        sudo_gid: Option<String> = text("SUDO_GID");
        /// The user's shell
        shell: String = text("SHELL").defaults(&["/bin/sh"]);
        /// Set within tmux
        tmux: Option<String> = text("TMUX");
        /// The X display
        display: Option<String> = text("DISPLAY");
        /// The Go workspace, whose CoreDNS is used
        go_path: Option<PathBuf> = Definition::new("GOPATH", Kind::Path).scripts();
        /// The time that is written into images, in seconds since 1970
        source_date_epoch: Option<String> = text("SOURCE_DATE_EPOCH");
        /// A shell file whose functions cmd_NAME() are commands
        hook: Option<String> = Definition::new("XCLUSTER_HOOK", Kind::Path).scripts();
        /// Set while a function of the hook runs
        in_hook: bool = Definition::new("XCBUILD_IN_HOOK", Kind::Flag);
        /// Which events are logged, as tracing's EnvFilter has it: `debug` shows each command
        log: String = text("XCBUILD_LOG").defaults(&["off"]);
    }
}
