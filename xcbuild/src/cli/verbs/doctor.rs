//! `xcbuild doctor`: what this host can do for clusters, and the one command that would mend what it
//! can't.

use std::fmt::Display;
use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::cli::cluster::tables::aligned;
use crate::cli::verb::Verb;
use crate::settings::{Invocation, Settings};
use crate::ui;
use xc_cluster::network::host::Program;
use xc_cluster::network::{self, Kind};
use xc_sys::exec::find_program;
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
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let path = format!("{}:{SYSTEM}", settings.host()?.path);
        let host = Host { settings: &settings, path };
        let findings = host.findings();
        if self.json {
            ui::result(serde_json::to_string_pretty(&findings)?);
        } else {
            ui::result(table(&findings));
        }
        let essential = |f: &&Finding| ["qemu", "ssh"].contains(&f.what.as_str());
        let runs = findings.iter().filter(essential).all(|f| f.usable);
        Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// The thing.
    what: String,
    /// Whether it can be used.
    usable: bool,
    /// What is there, or why it can't be used.
    why: String,
    /// The command that enables it, where one does.
    remedy: Option<String>,
}

impl Finding {
    fn good(what: &str, why: impl Display) -> Self {
        Self { what: what.into(), usable: true, why: why.to_string(), remedy: None }
    }

    fn bad(what: &str, why: impl Display, remedy: &str) -> Self {
        let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
        Self { what: what.into(), usable: false, why: why.to_string(), remedy }
    }
}

fn table(findings: &[Finding]) -> String {
    let row = |f: &Finding| {
        let usable = if f.usable { "yes" } else { "no" };
        let remedy = f.remedy.clone().unwrap_or_else(|| "-".into());
        [f.what.clone(), usable.to_owned(), remedy, f.why.clone()]
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
        ];
        all.extend(Kind::ALL.iter().map(|kind| self.network(*kind)));
        for (program, kinds) in programs(Kind::ALL) {
            let why = format!("{}, for {}", program.purpose, kinds.join(" and "));
            all.push(self.program(program.name, program.package, &why));
        }
        all
    }

    fn network(&self, kind: Kind) -> Finding {
        let host = network::host::Host { path: self.path.clone() };
        let network::host::Finding { usable, why, remedy } = kind.find(&host);
        Finding { what: format!("net {kind}"), usable, why, remedy }
    }

    fn program(&self, program: &str, package: &str, why: &str) -> Finding {
        if find_program(program, self.path.as_ref()).is_some() {
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
}

/// The programs that kinds of network run, each once, with the kinds.
fn programs(kinds: &[Kind]) -> Vec<(Program, Vec<String>)> {
    let mut all: Vec<(Program, Vec<String>)> = Vec::new();
    for kind in kinds {
        for program in kind.programs() {
            match all.iter_mut().find(|(there, _)| there == program) {
                Some((_, kinds)) => kinds.push(kind.to_string()),
                None => all.push((*program, vec![kind.to_string()])),
            }
        }
    }
    all
}

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

    use super::{Finding, Kind, programs, table};

    #[test]
    fn programs_are_listed_once_with_the_kinds_that_run_them() {
        let all = programs(Kind::ALL);
        let rows: Vec<_> = all.iter().map(|(p, kinds)| (p.name, kinds.join(" "))).collect();
        let expected = [("nft", "netns rootless".to_owned()), ("slirp4netns", "rootless".into())];
        assert_eq!(rows, expected);
    }

    #[test]
    fn each_finding_has_its_remedy() {
        let findings = [
            Finding::good("net user", "needs nothing"),
            Finding::bad(
                "net rootless",
                "/dev/net/tun can't be opened",
                "sudo chmod 0666 /dev/net/tun",
            ),
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
