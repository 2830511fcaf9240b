//! What `xcbuild env` prints, fit for `eval`: the names that scripts around the shell tool read.

use std::path::Path;

use super::Settings;

/// The contract's variables in its order.
pub(super) fn variables(s: &Settings) -> Vec<(&'static str, String)> {
    let v = &s.variables;
    let p = &s.places;
    let text = |path: &Path| path.display().to_string();
    let below = |name: &str, path: &Path| v.or(name, &text(path));
    let overlays = p.overlays.iter().map(|o| text(o)).collect::<Vec<_>>().join(":");
    let number = |n: Option<u32>, default: u32| n.unwrap_or(default).to_string();
    vec![
        ("XCLUSTER_WORKSPACE", text(&p.workspace)),
        ("XCLUSTER_HOME", text(&p.home)),
        ("XCLUSTER_TMP", text(&p.tmp)),
        ("XCLUSTER_MONITOR_BASE", v.or("XCLUSTER_MONITOR_BASE", "4000")),
        ("XCLUSTER_OVLPATH", overlays),
        ("ARCHIVE", text(&p.archive)),
        ("KERNELDIR", below("KERNELDIR", &p.workspace.join("kernel"))),
        ("DISKIM", below("DISKIM", &p.home.join("diskim"))),
        ("__kver", v.or("__kver", "debian-cloud")),
        ("__kobj", below("__kobj", &p.home.join("kobj"))),
        ("__kcfg", below("__kcfg", &p.home.join("kernel.config"))),
        ("__kbin", text(&p.kernel)),
        ("__bbver", v.or("__bbver", "busybox")),
        ("__kvm", s.cluster.qemu.clone()),
        ("__image", text(&p.image)),
        ("__cdrom", text(&p.cdrom)),
        ("__machine", s.cluster.machine.clone()),
        ("__mem", number(s.cluster.memory_mib, 128)),
        ("__smp", number(s.cluster.cpus.map(u32::from), 2)),
        ("__ipv4_base", v.or("__ipv4_base", "172.30.0.0/24")),
        ("__ipv6_prefix", v.or("__ipv6_prefix", "fd00:1723::")),
        ("__loader", v.or("__loader", "/lib64/ld-linux-x86-64.so.2")),
        ("__cached", below("__cached", &p.workspace.join("cache"))),
        ("__nets_vm", v.or("__nets_vm", "0,1")),
        ("__nets_router", v.or("__nets_router", "0,1,2")),
        ("__base_libs", below("__base_libs", &p.home.join("base-libs.txt"))),
        ("__ipver", v.or("__ipver", "iproute2")),
        ("__dropbearver", v.or("__dropbearver", "dropbear")),
        ("__diskimver", v.or("__diskimver", "diskim")),
    ]
}
