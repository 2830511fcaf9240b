//! Settings that scripts around the shell tool read, and that nothing here does.

use crate::settings::definition::{Definition, Kind};

const fn path(
    variable: &'static str,
    defaults: &'static [&'static str],
    doc: &'static str,
) -> Definition {
    Definition::new(variable, Kind::Path).defaults(defaults).env().documented(doc)
}

const fn text(
    variable: &'static str,
    defaults: &'static [&'static str],
    doc: &'static str,
) -> Definition {
    Definition::new(variable, Kind::Text).defaults(defaults).env().documented(doc)
}

/// The settings of scripts.
pub(super) const ALL: &[Definition] = &[
    text(
        "XCLUSTER_MONITOR_BASE",
        &["4000"],
        "Where the shell tool opens monitor ports; none is open",
    ),
    path("KERNELDIR", &["$XCLUSTER_WORKSPACE/kernel"], "Where scripts find kernels' sources"),
    path("DISKIM", &["$XCLUSTER_HOME/diskim"], "Where scripts find diskim"),
    text("__kver", &["debian-cloud"], "The version of the kernel").option("kver", "VERSION"),
    path("__kobj", &["$XCLUSTER_HOME/kobj"], "Where the kernel is built").option("kobj", "DIR"),
    path("__kcfg", &["$XCLUSTER_HOME/kernel.config"], "The kernel's configuration")
        .option("kcfg", "FILE"),
    text("__bbver", &["busybox"], "The version of busybox").option("bbver", "VERSION"),
    text("__ipver", &["iproute2"], "The version of iproute2").option("ipver", "VERSION"),
    text("__dropbearver", &["dropbear"], "The version of dropbear")
        .option("dropbearver", "VERSION"),
    text("__diskimver", &["diskim"], "The version of diskim").option("diskimver", "VERSION"),
    Definition::new("TEST", Kind::Text).scripts().documented("What a test of an overlay is about"),
];
