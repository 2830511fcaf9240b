//! The program as CoreDNS: Corefiles served, followed and refused.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::common::{
    DIG, NSD, Nsd, PATIENCE, Program, UNBOUND, Unbound, data, dig, free_address, query, udp,
};

/// A directory with a `coredns` and a Corefile, and the server that runs from it.
pub(crate) struct CoreDns {
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
    /// What it said before it was ready.
    pub started: Vec<String>,
    lines: Option<Receiver<String>>,
    _program: Option<Program>,
}

impl CoreDns {
    /// `{port}` of the Corefile is a free port.
    pub(crate) fn prepare(corefile: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_xc-dns"), dir.path().join("coredns")).unwrap();
        let address = free_address();
        let (started, lines) = (Vec::new(), None);
        let prepared = Self { dir, address, started, lines, _program: None };
        for (name, text) in files {
            fs::write(prepared.path(name), text).unwrap();
        }
        prepared.write_corefile(corefile);
        prepared
    }

    pub(crate) fn start(corefile: &str, files: &[(&str, &str)]) -> Self {
        let mut prepared = Self::prepare(corefile, files);
        let mut command = prepared.command(&["-conf", "Corefile"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, receiver) = channel();
        // Read to the end: a full pipe would stop the server.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        prepared._program = Some(Program(child));
        prepared.lines = Some(receiver);
        while let Ok(line) = prepared.lines.as_ref().unwrap().recv_timeout(PATIENCE * 4) {
            prepared.started.push(line);
            if prepared.started.last().is_some_and(|line| line.contains("stand-in for CoreDNS")) {
                return prepared;
            }
        }
        panic!("not ready: {:#?}", prepared.started);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write_corefile(&self, text: &str) {
        let port = self.address.port().to_string();
        fs::write(self.path("Corefile"), text.replace("{port}", &port)).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("./coredns");
        command.args(args).current_dir(self.dir.path()).env("NET", "10.0.0");
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The next line of the log that holds `text`.
    pub(crate) fn line(&self, text: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.as_ref().unwrap().recv_timeout(PATIENCE * 4) {
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
        panic!("no \"{text}\" in {seen:#?}");
    }

    /// `RCODE data...`.
    pub(crate) fn ask(&self, name: &str, rtype: RecordType) -> String {
        let answer = udp(self.address, &query(name, rtype));
        let code = match answer.metadata.response_code {
            ResponseCode::NoError => "NOERROR",
            ResponseCode::NXDomain => "NXDOMAIN",
            ResponseCode::ServFail => "SERVFAIL",
            ResponseCode::Refused => "REFUSED",
            _ => "OTHER",
        };
        format!("{code} {}", data(&answer).join(" ")).trim().to_owned()
    }
}

/// A page of `address`, its head first.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

/// Plugins in an order that CoreDNS's own turns around.
const COREFILE: &str = r#"
(logs) {
    log
    errors
}
.:{port} {
    import logs
    bind 127.0.0.1
    whoami
    file db . { # the block's zone
    }
    hosts {
        {$NET}.1 a.test aa.test
        10.0.0.2 shadowed.tpl
        fallthrough
    }
    template IN A tpl {
        match ^n(?P<n>[0-9]+)[.]tpl[.]$ ^shadowed
        answer "{{ .Name }} 60 IN A 10.1.0.{{ .Group.n }}"
        fallthrough
    }
    template ANY ANY invalid {
        rcode NXDOMAIN
        authority "invalid. 60 {{ .Class }} SOA ns.invalid. host.invalid. (1 60 60 60 60)"
    }
    rewrite name www.old n7.tpl
    rewrite continue name suffix .svc. .test.
    rewrite type CNAME A
    acl blocked.test {
        block net 127.0.0.0/8
    }
    acl filtered.test {
        filter type A
    }
    any
}
inner.test:{port} other:{port} {
    bind 127.0.0.1
    hosts hosts.txt {
        ttl 7
    }
}
empty:{port} {
    bind 127.0.0.1
}
"#;

const DB: &str =
    "$TTL 60\n@ SOA ns.test. a.test. 1 2 3 4 5\nx.test. A 10.9.0.1\na.test. A 10.9.0.9\n";

#[test]
fn a_corefile_is_served() {
    let hosts = "10.2.0.1 h.inner.test\n10.2.0.2 a.test\n10.2.0.x bad.inner.test\n";
    let server = CoreDns::start(COREFILE, &[("db", DB), ("hosts.txt", hosts)]);
    use RecordType::{A, AAAA, ANY, CNAME, MX, PTR};
    for (name, rtype, expected) in [
        ("a.test.", A, "NOERROR 10.0.0.1"),
        ("AA.Test.", A, "NOERROR 10.0.0.1"),
        ("a.test.", AAAA, "NOERROR"),
        ("1.0.0.10.in-addr.arpa.", PTR, "NOERROR a.test."),
        ("x.test.", A, "NOERROR 10.9.0.1"),
        ("none.test.", A, "NXDOMAIN"),
        ("n5.tpl.", A, "NOERROR 10.1.0.5"),
        ("shadowed.tpl.", A, "SERVFAIL"),
        ("x.tpl.", A, "NXDOMAIN"),
        ("n5.tpl.", MX, "NXDOMAIN"),
        ("a.b.invalid.", A, "NXDOMAIN"),
        ("www.old.", A, "NOERROR 10.1.0.7"),
        ("a.svc.", A, "NOERROR 10.0.0.1"),
        ("a.test.", CNAME, "NOERROR 10.0.0.1"),
        ("blocked.test.", A, "REFUSED"),
        ("x.filtered.test.", A, "NOERROR"),
        ("a.test.", ANY, "NOERROR \"ANY obsoleted\" \"See RFC 8482\""),
        ("h.inner.test.", A, "NOERROR 10.2.0.1"),
        ("bad.inner.test.", A, "SERVFAIL"),
        ("none.inner.test.", A, "SERVFAIL"),
        ("2.0.2.10.in-addr.arpa.", PTR, "NXDOMAIN"),
        ("x.empty.", A, "REFUSED"),
    ] {
        let expected = expected.replace('"', "");
        assert_eq!(server.ask(name, rtype).replace('"', ""), expected, "{name} {rtype}");
    }
    let answer = udp(server.address, &query("h.inner.test.", A));
    assert_eq!(answer.answers[0].ttl, 7);
    let rewritten = udp(server.address, &query("www.old.", A));
    assert_eq!(rewritten.answers[0].name.to_ascii(), "www.old.", "as it was asked for");
    assert_eq!(rewritten.queries[0].name().to_ascii(), "www.old.");
    let warning = "[WARNING] plugin/hosts: hosts.txt:3: `10.2.0.x` is not an IP address";
    assert!(server.started[0].starts_with(warning), "{:?}", server.started);
    let zones: Vec<String> = [".", "inner.test.", "other.", "empty."]
        .map(|z| format!("{z}:{}", server.address.port()))
        .to_vec();
    assert_eq!(server.started[1..5], zones);
    let logged = server.line("A IN a.test.");
    let expected = "\"A IN a.test. udp 24 false 512\" NOERROR qr,aa,rd,ra 40 0.";
    assert!(logged.starts_with("[INFO] 127.0.0.1:") && logged.contains(expected), "{logged}");
}

#[test]
fn without_a_corefile_it_tells_who_asks() {
    let server = CoreDns::start(".:{port} {\n bind 127.0.0.1\n whoami\n}\n", &[]);
    let answer = udp(server.address, &query("any.name.", RecordType::A));
    assert!(answer.answers.is_empty());
    let extra: Vec<String> = answer.additionals.iter().map(|r| r.data.to_string()).collect();
    assert_eq!(extra[0], "127.0.0.1");
    assert!(extra[1].starts_with("0 0 "), "{extra:?}");
    assert_eq!(answer.additionals[1].name.to_ascii(), "_udp.any.name.");
}

const ZONE: &str = include_str!("zone.txt");

#[test(needs = [DIG, NSD])]
fn a_zone_is_served_as_nsd_serves_it() {
    let nsd = Nsd::start("zone.example", ZONE);
    zone_is_served_as_by(nsd.address);
}

#[test(needs = [DIG, UNBOUND])]
fn a_zone_is_served_as_unbound_serves_it() {
    let unbound = Unbound::with_zone("zone.example", ZONE);
    zone_is_served_as_by(unbound.address);
}

fn zone_is_served_as_by(judge: SocketAddr) {
    let server =
        CoreDns::start("zone.example:{port} {\n bind 127.0.0.1\n file db\n}\n", &[("db", ZONE)]);
    let answer = |address, question: &str| -> Vec<String> {
        let args = format!("{question} +norec +nostats +nocmd +noedns +noauthority +noadditional");
        let text = dig(address, &args);
        let status = text.split("status: ").nth(1).and_then(|rest| rest.split(',').next());
        let mut lines: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with(';') && !line.is_empty())
            .map(spaced)
            .collect();
        lines.sort();
        lines.push(status.unwrap_or_default().to_owned());
        lines
    };
    for question in [
        "zone.example SOA",
        "zone.example NS",
        "zone.example MX",
        "zone.example TXT",
        "zone.example A",
        "www.zone.example A",
        "WWW.zone.example AAAA",
        "alias.zone.example A",
        "alias.zone.example CNAME",
        "chain.zone.example A",
        "chain.zone.example MX",
        "none.zone.example A",
        "ent.zone.example A",
        "deep.under.ent.zone.example A",
        "x.wild.zone.example A",
        "y.x.wild.zone.example TXT",
        "wild.zone.example A",
        "known.wild.zone.example A",
        "known.wild.zone.example TXT",
        "a.known.wild.zone.example A",
        "sub.zone.example A",
        "host.sub.zone.example A",
        "_sip._udp.zone.example SRV",
        "quoted.zone.example TXT",
        "escaped\\.dot.zone.example A",
        "odd.zone.example TYPE65280",
        "rel.other.zone.example A",
        "ptr.zone.example PTR",
    ] {
        assert_eq!(answer(server.address, question), answer(judge, question), "{question}");
    }
}

/// With one space between words.
fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_changed_corefile_is_followed_and_a_broken_one_is_not() {
    let corefile = |address: &str| {
        format!(
            ".:{{port}} {{\n bind 127.0.0.1\n reload 2s\n hosts h {{\n  {address} a.test\n }}\n}}\n"
        )
    };
    let server = CoreDns::start(&corefile("10.0.0.1"), &[("h", "")]);
    assert_eq!(server.ask("a.test.", RecordType::A), "NOERROR 10.0.0.1");
    server.write_corefile(&corefile("10.0.0.22"));
    server.line("[INFO] Reloading: the Corefile");
    assert_eq!(server.ask("a.test.", RecordType::A), "NOERROR 10.0.0.22");
    server.write_corefile(&corefile("10.0.0.333"));
    let error = server.line("[ERROR]");
    assert!(error.contains("reload failed: Corefile:5 - "), "{error}");
    assert_eq!(server.ask("a.test.", RecordType::A), "NOERROR 10.0.0.22");
}

#[test]
fn its_state_is_told_by_http() {
    let [health, ready, metrics] = [(); 3].map(|()| free_address());
    let corefile = format!(
        ".:{{port}} {{\n bind 127.0.0.1\n health {health}\n ready {ready}\n prometheus {metrics}\n \
         whoami\n}}\na:{{port}} {{\n bind 127.0.0.1\n health {health}\n}}\n"
    );
    let server = CoreDns::start(&corefile, &[]);
    server.ask("x.test.", RecordType::A);
    for (address, path) in [(health, "/health"), (ready, "/ready")] {
        let page = get(address, path);
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\nOK"), "{page}");
        assert!(get(address, "/other").starts_with("HTTP/1.1 404 "), "{path}");
    }
    let page = get(metrics, "/metrics");
    for line in [
        "coredns_build_info{version=\"xc-dns ",
        "# TYPE coredns_dns_requests_total counter",
        &format!(
            "coredns_dns_requests_total{{family=\"1\",proto=\"udp\",server=\"dns://{}\",type=\"A\",zone=\".\"}} 1",
            server.address
        ),
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
}

#[test]
fn what_can_not_be_served_ends_the_start_with_its_reason() {
    let own = free_address();
    for (corefile, expected) in [
        (". {\n nonsense\n}", "Corefile:2 - Error during parsing: unknown plugin `nonsense`"),
        (
            ". {\n kubernetes\n}",
            "Corefile:2 - Error during parsing: plugin kubernetes: this stand-in",
        ),
        (
            ". {\n cache {\n  nonsense\n }\n}",
            "Corefile:3 - Error during parsing: cache: unknown option",
        ),
        (".:{port} {\n bind 127.0.0.1\n file none\n}", "can't read none: No such file"),
        (
            ".:{port} {\n bind 127.0.0.1\n file bad\n}",
            "bad:2 - Error during parsing: `B` is not a record type",
        ),
        (
            ".:{port} {\n bind nonesuch0\n whoami\n}",
            "Corefile:1 - Error during parsing: bind: interface nonesuch0",
        ),
        (".:{port} {\n bind 192.0.2.1\n whoami\n}", "no interface has this address"),
        (
            "a:{port} {\n bind 127.0.0.1\n whoami\n}\nb:{port} {\n whoami\n}",
            "Corefile:1 - Error during parsing: bind: 127.0.0.1:",
        ),
        (
            &format!(".:{} {{\n bind 127.0.0.1\n forward . {own}\n}}", own.port()),
            "queries would go in a circle",
        ),
    ] {
        let server = CoreDns::prepare(corefile, &[("bad", "$TTL 60\nx B y\n")]);
        let output = server.output(&["-conf", "Corefile"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{corefile}: {said}");
        assert!(said.contains(expected), "{corefile}: {said}");
    }
    let server = CoreDns::prepare("", &[]);
    assert_eq!(server.output(&["-nonsense"]).status.code(), Some(2));
    let version = server.output(&["-version"]);
    assert!(String::from_utf8_lossy(&version.stdout).contains("a stand-in for CoreDNS"));
}
