//! All verbs, in the order of the help: one line each.
//!
//! `cargo fmt` does not see modules that a macro declares; `make format` does, and `make lint` checks
//! them.

use super::verb::Entry;

/// Declares the modules of verbs and lists what they hold.
macro_rules! verbs {
    ($($module:ident)*) => {
        $(mod $module;)*
        /// Every verb.
        pub(crate) const VERBS: &[Entry] = &[$(Entry::of::<$module::Arguments>()),*];
    };
}

verbs! {
    up
    mkcdrom
    mkimage
    ximage
    inject
    start
    starts
    boot_vm
    xvm
    vm
    check
    status
    top
    rsh
    rcp
    exec
    logs
    console
    scaleout
    scalein
    restart
    reset_vm
    stop_vm
    cont
    wait
    link
    test
    capture
    netns_capture
    tcpdump
    ps
    stop
    lock
    env
    iso
    ovld
    ovl
    mkovl
    cache
    dns
    doctor
    nsadd
    netns_apply
    nsadd_docker
    nsdel
    nsenter
    br_setup
    topology
    install_prog
    cplib
    libs
    cploader
    completion
    completions
    shell_init
}
