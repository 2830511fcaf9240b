//! `xcbuild doctor`: what this host can do for clusters, and the one command that would mend what it
//! can't.

use std::fmt::Display;
use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::cli::cluster::tables::aligned;
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables};
use crate::ui;
use xc_net::apply::read_setting;
use xc_sys::exec::{Exec, find_program};
use xc_sys::{namespace, tap};
use xc_vm::accel::{self, Choice};
use xc_vm::command::Accel;
use xc_vm::version;

/// Where programs are looked for beside `PATH`.
const SYSTEM: &str = "/usr/sbin:/sbin";

/// Tell what this host can do for clusters, and how to enable what it can't
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For programs
    #[arg(long)]
    json: bool,
}

impl Verb for Arguments {
    const NAME: &'static str = "doctor";

    /// Runs the verb. What is missing is a finding and no failure, unless no cluster can run at all.
    ///
    /// # Errors
    /// When a setting is no such thing.
    fn run(&self, variables: Variables) -> Result<ExitCode> {
        let settings = Settings::resolve(variables)?;
        let path = format!("{}:{SYSTEM}", settings.variables.or("PATH", "/usr/bin:/bin"));
        let host = Host { settings: &settings, path };
        let findings = host.findings();
        if self.json {
            ui::result(serde_json::to_string_pretty(&findings)?);
        } else {
            ui::result(table(&findings));
        }
        let essential = |f: &&Finding| ["qemu", "ssh"].contains(&f.what);
        let runs = findings.iter().filter(essential).all(|f| f.usable);
        Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// The thing.
    what: &'static str,
    /// Whether it can be used.
    usable: bool,
    /// What is there, or why it can't be used.
    why: String,
    /// The command that enables it, where one does.
    remedy: Option<String>,
}

impl Finding {
    fn good(what: &'static str, why: impl Display) -> Self {
        Self { what, usable: true, why: why.to_string(), remedy: None }
    }

    fn bad(what: &'static str, why: impl Display, remedy: &str) -> Self {
        let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
        Self { what, usable: false, why: why.to_string(), remedy }
    }
}

fn table(findings: &[Finding]) -> String {
    let row = |f: &Finding| {
        let usable = if f.usable { "yes" } else { "no" };
        let remedy = f.remedy.clone().unwrap_or_else(|| "-".into());
        [f.what.to_owned(), usable.to_owned(), remedy, f.why.clone()]
    };
    aligned(["WHAT", "USABLE", "ENABLED BY", "FOUND"], findings.iter().map(row))
}

/// The host, as the settings let us see it.
struct Host<'a> {
    settings: &'a Settings,
    path: String,
}

impl Host<'_> {
    fn findings(&self) -> Vec<Finding> {
        let mut all = vec![
            self.qemu(),
            self.program("ssh", "openssh-client", "runs commands on nodes"),
            self.kvm(),
            vhost(),
            memory(),
            Finding::good("net user", "needs nothing"),
            self.netns(),
            self.rootless(),
        ];
        for (program, package, why) in [
            ("nft", "nftables", "masquerades, for netns and rootless"),
            ("slirp4netns", "slirp4netns", "leads rootless nodes outside"),
        ] {
            all.push(self.program(program, package, why));
        }
        all
    }

    fn has(&self, program: &str) -> bool {
        find_program(program, self.path.as_ref()).is_some()
    }

    fn program(&self, program: &'static str, package: &str, why: &str) -> Finding {
        if self.has(program) {
            return Finding::good(program, why);
        }
        let remedy = format!("sudo apt-get install {package}");
        Finding::bad(program, format_args!("not installed; {why}"), &remedy)
    }

    fn qemu(&self) -> Finding {
        let program = &self.settings.cluster.qemu;
        match version::check(program) {
            Ok(version) => Finding::good("qemu", format_args!("{program}, {version}")),
            Err(e) => Finding::bad("qemu", ui::causes(&e), "sudo apt-get install qemu-system-x86"),
        }
    }

    fn kvm(&self) -> Finding {
        let slow = "nodes are translated, some ten times slower";
        match accel::choose(Choice::Auto, &self.settings.cluster.qemu) {
            Ok(chosen) if chosen.accel == Accel::Kvm => Finding::good("kvm", "a guest ran by it"),
            Ok(chosen) => {
                let reason = chosen.fallback.unwrap_or_default();
                let denied = reason.contains("can't be opened");
                let remedy = if denied { "sudo adduser $USER kvm" } else { "" };
                Finding::bad("kvm", format_args!("{reason}; {slow}"), remedy)
            }
            Err(e) => Finding::bad("kvm", ui::causes(&e), ""),
        }
    }

    /// Within a namespace the kind is in use; outside it takes root to enter one.
    fn netns(&self) -> Finding {
        let what = "net netns";
        if let Some(finding) = no_taps(what) {
            return finding;
        }
        if !self.has("nft") {
            return Finding::bad(what, "nft is not installed", "sudo apt-get install nftables");
        }
        match namespace::own_name().filter(|name| name.contains("_xcluster")) {
            Some(name) => Finding::good(what, format_args!("this is the namespace {name}")),
            None => Finding::bad(
                what,
                "not in a namespace of its own",
                "sudo -E xcbuild nsadd 1 && sudo -E xcbuild nsenter 1",
            ),
        }
    }

    fn rootless(&self) -> Finding {
        let what = "net rootless";
        let namespaces = Exec::new("unshare").args(["--user", "--map-root-user", "--net", "true"]);
        if let Err(e) = namespaces.output() {
            let reason = e.stderr().lines().last().unwrap_or("unshare can't be run").to_owned();
            let why = format!("no user namespaces: {reason}");
            return Finding::bad(what, why, namespaces_remedy(&|key| read_setting(key)));
        }
        if let Some(finding) = no_taps(what) {
            return finding;
        }
        if !self.has("nft") {
            return Finding::bad(what, "nft is not installed", "sudo apt-get install nftables");
        }
        if !self.has("slirp4netns") {
            let remedy = "sudo apt-get install slirp4netns";
            return Finding {
                remedy: Some(remedy.into()),
                ..Finding::good(what, "nodes can't reach the outside without slirp4netns")
            };
        }
        Finding::good(what, "user namespaces, taps and slirp4netns are there")
    }
}

/// Why there can be no taps, if there can't.
fn no_taps(what: &'static str) -> Option<Finding> {
    let error = tap::open().err()?;
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => TUN,
        _ => "sudo modprobe tun",
    };
    Some(Finding::bad(what, format_args!("{} can't be opened: {error}", tap::DEVICE), remedy))
}

/// What lets users make namespaces: each way to forbid it has a setting of its own.
fn namespaces_remedy(setting: &dyn Fn(&str) -> Option<String>) -> &'static str {
    let is = |key: &str, value: &str| setting(key).as_deref() == Some(value);
    if is("user/max_user_namespaces", "0") {
        return "sudo sysctl -w user.max_user_namespaces=10000";
    }
    if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
    }
    if is("kernel/unprivileged_userns_clone", "0") {
        return "sudo sysctl -w kernel.unprivileged_userns_clone=1";
    }
    ""
}

/// Makes the device that every user may open: what it gives is checked again by the kernel.
const TUN: &str = "sudo chmod 0666 /dev/net/tun";

fn vhost() -> Finding {
    let opened = std::fs::File::options().read(true).write(true).open("/dev/vhost-net");
    match opened {
        Ok(_) => Finding::good("vhost-net", "the kernel moves the frames of taps"),
        Err(e) => {
            let missing = e.kind() == ErrorKind::NotFound;
            let remedy = if missing { "sudo modprobe vhost_net" } else { "sudo adduser $USER kvm" };
            Finding::bad(
                "vhost-net",
                format_args!("/dev/vhost-net: {e}; qemu moves frames"),
                remedy,
            )
        }
    }
}

fn memory() -> Finding {
    let meminfo = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    match kib {
        Some(kib) => Finding::good("memory", format_args!("{} MiB available", kib / 1024)),
        None => Finding::bad("memory", "/proc/meminfo does not tell", ""),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Finding, namespaces_remedy, table};

    #[test]
    fn the_setting_that_forbids_namespaces_is_named() {
        let rows = [
            ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
            ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
            (
                "kernel/apparmor_restrict_unprivileged_userns",
                "1",
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        ];
        for (key, value, wanted) in rows {
            let remedy = namespaces_remedy(&|k| (k == key).then(|| value.to_owned()));
            assert_eq!(remedy, format!("sudo sysctl -w {wanted}"));
        }
        assert_eq!(namespaces_remedy(&|_| None), "", "whatever it is, no setting tells");
    }

    #[test]
    fn each_finding_has_its_remedy() {
        let findings = [
            Finding::good("net user", "needs nothing"),
            Finding::bad("net rootless", "/dev/net/tun can't be opened", super::TUN),
            Finding::bad("kvm", "no vmx", ""),
        ];
        assert_snapshot!(table(&findings), @r"
        WHAT          USABLE  ENABLED BY                    FOUND
        net user      yes     -                             needs nothing
        net rootless  no      sudo chmod 0666 /dev/net/tun  /dev/net/tun can't be opened
        kvm           no      -                             no vmx
        ");
    }
}
