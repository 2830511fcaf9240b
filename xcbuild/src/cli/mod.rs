//! The command line: one thin file per verb. A verb reads its arguments, resolves the settings,
//! calls the module that does the work, and prints what came of it.
//!
//! Exit codes: 0 is success, 1 a failure that stderr explains, 2 a command line that is none, 130
//! an end by Ctrl-C. `status` and `rsh` have codes of their own, given with them.

mod base;
mod boot_vm;
mod br_setup;
mod cache;
mod capture;
mod check;
mod cluster;
mod completions;
mod console;
mod dns;
mod doctor;
mod env;
mod environment;
mod exec;
mod hook;
mod images;
mod inject;
mod install;
mod iso;
mod link;
mod lock;
mod mkcdrom;
mod mkimage;
mod mkovl;
mod namespace;
mod netns_apply;
mod node;
mod nsadd;
mod nsdel;
mod nsenter;
mod overlay_params;
mod overlays;
mod ovl;
mod ovld;
mod params;
mod ps;
mod rcp;
mod rsh;
mod scalein;
mod scaleout;
mod settings;
mod shell_init;
mod show;
mod spelling;
mod start;
mod status;
mod stop;
mod tcpdump;
mod terminal;
mod test;
mod tools;
mod top;
mod topology;
mod up;
mod vm;
mod work;
mod ximage;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::settings::{Variables, of_process};
use crate::ui;
use xc_sys::cancel::{self, Cancelled};
use xc_sys::exec::ExecError;

/// Exit code of a program that the user ended by Ctrl-C, as shells have it.
const CANCELLED: u8 = 130;
/// Exit code of a command line that can't be understood.
const USAGE: u8 = 2;

/// Builds overlays and a base image into cached ISOs and runs clusters of VMs from them
#[derive(Debug, Parser)]
#[command(name = "xcbuild", version, max_term_width = 100, args_override_self = true)]
struct Arguments {
    /// Say only warnings and errors on stderr
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Up(up::Arguments),
    Mkcdrom(mkcdrom::Arguments),
    Mkimage(mkimage::Arguments),
    Ximage(ximage::Arguments),
    Inject(inject::Arguments),
    Start(start::Arguments),
    /// As `start`, without windows
    #[command(name = "starts")]
    StartHeadless(start::Arguments),
    #[command(name = "boot_vm", aliases = ["boot-vm"], visible_alias = "svm")]
    BootVm(boot_vm::Arguments),
    /// As `boot_vm`, with a window of tmux or the X display that shows its console
    Xvm(boot_vm::Arguments),
    Vm(vm::Arguments),
    Check(check::Arguments),
    Status(status::Arguments),
    Top(top::Arguments),
    Rsh(rsh::Arguments),
    Rcp(rcp::Arguments),
    Exec(exec::Arguments),
    Logs(console::LogsArguments),
    Console(console::ConsoleArguments),
    Scaleout(scaleout::Arguments),
    Scalein(scalein::Arguments),
    /// End nodes' virtual machines, start them anew, and wait until they are ready
    Restart(node::Nodes),
    /// Press nodes' reset buttons, let them go on if paused, and wait until they are ready
    #[command(name = "reset_vm", visible_alias = "reset-vm")]
    Reset(node::Nodes),
    /// Pause nodes
    #[command(name = "stop_vm", visible_alias = "stop-vm")]
    Pause(node::Nodes),
    /// Let paused nodes go on
    Cont(node::Nodes),
    /// Wait until nodes are ready
    Wait(node::Waiting),
    Link(link::Arguments),
    Test(test::Arguments),
    Capture(capture::Arguments),
    /// Send the frames of an interface in this network namespace to xcbuild itself
    #[command(name = "netns-capture", hide = true)]
    NetnsCapture(capture::Helper),
    Tcpdump(tcpdump::Arguments),
    Ps(ps::Arguments),
    Stop(stop::Arguments),
    Lock(lock::Arguments),
    Env(env::Arguments),
    Iso(iso::Arguments),
    Ovld(ovld::Arguments),
    Ovl(ovl::Arguments),
    Mkovl(mkovl::Arguments),
    Cache(cache::Arguments),
    Dns(dns::Arguments),
    Doctor(doctor::Arguments),
    Nsadd(nsadd::Arguments),
    /// Do steps in this network namespace, for xcbuild itself
    #[command(name = "netns-apply", hide = true)]
    NetnsApply,
    /// Not built; says what to use instead
    #[command(name = "nsadd_docker", hide = true)]
    NsaddDocker(nsadd::Docker),
    Nsdel(nsdel::Arguments),
    Nsenter(nsenter::Arguments),
    #[command(name = "br_setup")]
    BrSetup(br_setup::Arguments),
    Topology(show::Arguments),
    #[command(name = "install_prog")]
    InstallProg(install::Programs),
    Cplib(install::Libraries),
    Libs(install::List),
    Cploader(install::Loader),
    Completion(shell_init::Completion),
    Completions(completions::Arguments),
    #[command(name = "shell-init")]
    ShellInit(shell_init::Arguments),
}

/// Runs the program with a command line and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    completions::answer();
    start_log();
    let mut variables = of_process();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(code) = hook::intercept(&arguments, &variables) {
        return code;
    }
    let arguments = spelling::normal(arguments, &mut variables);
    let arguments = settings::taken(iso::normal(arguments), &mut variables);
    let arguments = environment::added(arguments, &variables);
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(e) => return usage(&e),
    };
    if parsed.quiet {
        ui::set_level(ui::Level::Quiet);
    }
    let done = cancel::install()
        .map_err(anyhow::Error::from)
        .and_then(|()| dispatch(parsed.verb, variables));
    done.unwrap_or_else(|e| failed(&e))
}

fn dispatch(verb: Verb, variables: Variables) -> Result<ExitCode> {
    match verb {
        Verb::Up(a) => up::run(&a, variables),
        Verb::Mkcdrom(a) => mkcdrom::run(&a, variables),
        Verb::Mkimage(a) => mkimage::run(&a, variables),
        Verb::Ximage(a) => ximage::run(&a, variables),
        Verb::Inject(a) => inject::run(&a, variables),
        Verb::Start(a) => start::run(&a, variables, true),
        Verb::StartHeadless(a) => start::run(&a, variables, false),
        Verb::BootVm(a) => boot_vm::run(&a, variables, false),
        Verb::Xvm(a) => boot_vm::run(&a, variables, true),
        Verb::Vm(a) => vm::run(&a, variables),
        Verb::Check(a) => check::run(&a, variables),
        Verb::Status(a) => status::run(&a, variables),
        Verb::Top(a) => top::run(&a, variables),
        Verb::Rsh(a) => rsh::run(&a, variables),
        Verb::Rcp(a) => rcp::run(&a, variables),
        Verb::Exec(a) => exec::run(&a, variables),
        Verb::Logs(a) => console::logs(&a, variables),
        Verb::Console(a) => console::attach(&a, variables),
        Verb::Scaleout(a) => scaleout::run(&a, variables),
        Verb::Scalein(a) => scalein::run(&a, variables),
        Verb::Restart(a) => node::restart(&a, variables),
        Verb::Reset(a) => node::reset(&a, variables),
        Verb::Pause(a) => node::pause(&a, variables),
        Verb::Cont(a) => node::resume(&a, variables),
        Verb::Wait(a) => node::wait(&a, variables),
        Verb::Link(a) => link::run(&a, variables),
        Verb::Test(a) => test::run(&a, variables),
        Verb::Capture(a) => capture::run(&a, variables),
        Verb::NetnsCapture(a) => Ok(capture::help(&a)),
        Verb::Tcpdump(a) => tcpdump::run(&a, variables),
        Verb::Ps(a) => ps::run(&a, variables),
        Verb::Stop(a) => stop::run(&a, variables),
        Verb::Lock(a) => lock::run(&a, variables),
        Verb::Env(a) => env::run(&a, variables),
        Verb::Iso(a) => iso::run(&a, variables),
        Verb::Ovld(a) => ovld::run(&a, variables),
        Verb::Ovl(a) => ovl::run(&a, variables),
        Verb::Mkovl(a) => mkovl::run(&a, variables),
        Verb::Cache(a) => cache::run(&a, variables),
        Verb::Dns(a) => dns::run(&a, variables),
        Verb::NetnsApply => netns_apply::run(),
        Verb::Doctor(a) => doctor::run(&a, variables),
        Verb::Nsadd(a) => nsadd::run(&a, variables),
        Verb::NsaddDocker(_) => nsadd::docker(),
        Verb::Nsdel(a) => nsdel::run(&a, &variables),
        Verb::Nsenter(a) => nsenter::run(&a, variables),
        Verb::BrSetup(a) => br_setup::run(&a, variables),
        Verb::Topology(a) => show::run(&a, variables),
        Verb::InstallProg(a) => install::programs(&a, variables),
        Verb::Cplib(a) => install::libraries(&a, variables),
        Verb::Libs(a) => install::list(&a),
        Verb::Cploader(a) => install::loader(&a, variables),
        Verb::Completions(a) => completions::run(&a),
        Verb::Completion(a) => shell_init::completion(&a, &variables),
        Verb::ShellInit(a) => shell_init::run(&a),
    }
}

fn usage(e: &clap::Error) -> ExitCode {
    if !e.use_stderr() {
        ui::result_bytes(e.render().to_string().as_bytes());
        return ExitCode::SUCCESS;
    }
    let text = e.render().to_string();
    ui::error(&anyhow::anyhow!("{}", text.trim_start_matches("error: ").trim_end()));
    ExitCode::from(USAGE)
}

fn failed(e: &anyhow::Error) -> ExitCode {
    if cancelled(e) {
        // Its causes may be that not all could be undone.
        ui::warn(ui::causes(e));
        return ExitCode::from(CANCELLED);
    }
    ui::error(e);
    if e.chain().any(is_full) {
        ui::hint(
            "make room by `xcbuild cache gc --max-size=10G`, or have the cache elsewhere by XCBUILD_STORE",
        );
    }
    ExitCode::FAILURE
}

/// Whether an error is that the user wants an end.
fn cancelled(e: &anyhow::Error) -> bool {
    let by_user = |c: &(dyn std::error::Error + 'static)| {
        c.is::<Cancelled>() || matches!(c.downcast_ref(), Some(ExecError::Cancelled { .. }))
    };
    cancel::requested() && e.chain().any(by_user)
}

/// Whether a file system is full, or the user's part of it.
fn is_full(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::{Error, ErrorKind};
    let kind = cause.downcast_ref::<Error>().map(Error::kind);
    matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// `XCBUILD_LOG=debug` shows each command that is run; the syntax is that of `tracing`'s EnvFilter.
fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("XCBUILD_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
