//! The command line of CoreDNS: Go's flags, with one dash or two, their values behind `=` or apart.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use xc_dns::STAND_IN;
use xc_dns::corefile::{DNS_PORT, plugin_names};
use xc_dns::stand_in::Source;

/// What to do.
pub(crate) enum Action {
    /// Serve.
    Serve(Options),
    /// Print this and end.
    Say(String),
}

/// How to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The Corefile.
    pub source: Source,
    /// The port of server blocks that name none.
    pub port: u16,
    /// Say nothing at the start.
    pub quiet: bool,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
}

/// Whether the program was started as CoreDNS: by its name, or with its option for the Corefile.
pub(crate) fn is_meant(args: &[String]) -> bool {
    let name = args.first().map(Path::new).and_then(Path::file_name);
    let named = name.is_some_and(|name| name.to_string_lossy().starts_with("coredns"));
    let corefile = |arg: &String| {
        let flag = arg.split('=').next().unwrap_or_default();
        matches!(flag, "-conf" | "--conf")
    };
    named || args.iter().skip(1).any(corefile)
}

/// What is said by `-version`, and at the start.
pub(crate) fn version() -> String {
    let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    format!("xc-dns {version}, {STAND_IN}\nlinux/{arch}\n")
}

/// Takes the command line, the program's name first.
///
/// # Errors
/// As Go says it.
pub(crate) fn parse(args: &[String]) -> Result<Action, String> {
    let (source, pid_file) = (Source::Default, None);
    let mut options = Options { source, port: DNS_PORT, quiet: false, pid_file };
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        let flag = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'));
        let flag = flag.ok_or_else(|| format!("extra command line arguments: {arg}"))?;
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let mut text = || {
            let value = value.clone().or_else(|| rest.next().cloned());
            value.ok_or_else(|| format!("flag needs an argument: -{name}"))
        };
        match name {
            "conf" => options.source = source_of(&text()?)?,
            "dns.port" | "p" => options.port = port(&text()?)?,
            "pidfile" => options.pid_file = Some(text()?.into()),
            "quiet" => options.quiet = boolean(value.as_deref())?,
            "version" if boolean(value.as_deref())? => return Ok(Action::Say(version())),
            "plugins" if boolean(value.as_deref())? => return Ok(Action::Say(plugins())),
            "version" | "plugins" => {}
            _ => return Err(format!("flag provided but not defined: -{name}")),
        }
    }
    Ok(Action::Serve(options))
}

fn source_of(conf: &str) -> Result<Source, String> {
    if conf != "stdin" {
        return Ok(Source::File(conf.into()));
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| format!("can't read the Corefile from stdin: {error}"))?;
    Ok(Source::Text(text))
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| format!("invalid value \"{text}\" for flag -dns.port"))
}

fn boolean(value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(format!("invalid boolean value \"{other}\"")),
    }
}

fn plugins() -> String {
    let mut names: Vec<_> = plugin_names().collect();
    names.sort_unstable();
    let lines = names.into_iter().map(|name| format!("  dns.{name}\n"));
    format!("Server types:\n  dns\n\nOther plugins:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_are_as_in_go() {
        let file = || Source::File("f".into());
        for (text, source, port, quiet) in [
            ("coredns", Source::Default, 53, false),
            ("coredns -conf f", file(), 53, false),
            ("coredns --conf=f -dns.port=1053 -quiet", file(), 1053, true),
            ("coredns -p 1053 -quiet=false", Source::Default, 1053, false),
        ] {
            let Ok(Action::Serve(options)) = parse(&words(text)) else { panic!("{text}") };
            assert_eq!(options, Options { source, port, quiet, pid_file: None }, "{text}");
        }
        for (text, expected) in [
            ("coredns -nonsense", "flag provided but not defined: -nonsense"),
            ("coredns -conf", "flag needs an argument: -conf"),
            ("coredns f", "extra command line arguments: f"),
            ("coredns -dns.port 0", "invalid value \"0\" for flag -dns.port"),
            ("coredns -quiet=x", "invalid boolean value \"x\""),
        ] {
            assert_eq!(parse(&words(text)).err().as_deref(), Some(expected), "{text}");
        }
        let Ok(Action::Say(plugins)) = parse(&words("coredns -plugins")) else { panic!() };
        assert!(
            plugins.contains("  dns.forward\n") && !plugins.contains("kubernetes"),
            "{plugins}"
        );
    }

    #[test]
    fn the_name_or_the_option_mean_coredns() {
        for (text, expected) in [
            ("/usr/bin/coredns", true),
            ("coredns-1.11 -version", true),
            ("xc-dns -conf /etc/Corefile", true),
            ("xc-dns --conf=/etc/Corefile", true),
            ("xc-dns --listen 127.0.0.1", false),
            ("xc-dns", false),
        ] {
            assert_eq!(is_meant(&words(text)), expected, "{text}");
        }
    }
}
