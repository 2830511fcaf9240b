//! Servers to forward to, a running proxy, and clients. All end with their guards.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use xc_harness::Need;

use xc_dns::{Config, Event, Server, Stopper, Upstreams};

/// What a client waits: SERVFAIL must come within it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Any free port of 127.0.0.1.
pub(crate) fn any() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A free port, for programs that can't be told to take any.
pub(crate) fn free_address() -> SocketAddr {
    UdpSocket::bind(any()).unwrap().local_addr().unwrap()
}

/// What [`dig`] takes.
pub(crate) const DIG: Need = Need::Program("dig");
/// What [`Dnsmasq`] takes.
pub(crate) const DNSMASQ: Need = Need::Program("dnsmasq");
/// What [`Nsd`] takes.
pub(crate) const NSD: Need = Need::Program("nsd");
/// What [`Unbound`] takes.
pub(crate) const UNBOUND: Need = Need::Program("unbound");

/// A program that is killed with its guard.
pub(crate) struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server and waits for the line of its stderr that says that it is bound.
fn start(command: &mut Command, ready: &str) -> Program {
    let mut program = Program(command.stderr(Stdio::piped()).spawn().unwrap());
    let stderr = program.0.stderr.take().unwrap();
    let (sender, receiver) = channel();
    // Read to the end: a full pipe would stop the server.
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut said = Vec::new();
    while let Ok(line) = receiver.recv_timeout(Duration::from_secs(20)) {
        said.push(line);
        if said.last().is_some_and(|line| line.contains(ready)) {
            return program;
        }
    }
    panic!("no server: {said:#?}");
}

/// dnsmasq as the authority for `test.`, with a TXT record too big for a datagram.
pub(crate) struct Dnsmasq {
    pub address: SocketAddr,
    pub program: Program,
}

impl Dnsmasq {
    pub(crate) fn start() -> Self {
        let address = free_address();
        let big = ["x".repeat(200).as_str(); 12].join(",");
        let mut command = Command::new("dnsmasq");
        command.args(["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]);
        command.args(["--bind-interfaces", "--listen-address=127.0.0.1", "--pid-file"]);
        command.args(["--user=root", "--local-ttl=600", "--edns-packet-max=4096"]);
        command.args(["--host-record=www.test,10.0.0.1,fd00::1", "--local=/test/"]);
        command.args(["--cname=alias.test,www.test", "--mx-host=test,www.test,5"]);
        command.arg(format!("--txt-record=big.test,{big}"));
        command.arg(format!("--port={}", address.port()));
        let program = start(&mut command, "started");
        Self { address, program }
    }
}

/// unbound as the authority for `test.`, or for a zone file.
pub(crate) struct Unbound {
    pub address: SocketAddr,
    _program: Program,
    _dir: tempfile::TempDir,
}

impl Unbound {
    /// As the authority for a zone file.
    pub(crate) fn with_zone(zone: &str, text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("zone"), text).unwrap();
        let file = dir.path().join("zone").display().to_string();
        Self::run(dir, |_| {
            format!(
                "auth-zone:\n  name: {zone}\n  zonefile: \"{file}\"\n  for-downstream: yes\n  \
                 for-upstream: no\n  fallback-enabled: no\n"
            )
        })
    }

    pub(crate) fn start() -> Self {
        let local = "  local-zone: \"test.\" static\n  \
             local-data: \"test. 60 IN SOA ns.test. admin.test. 1 2 3 4 50\"\n  \
             local-data: \"www.test. 600 IN A 10.0.0.1\"\n  \
             local-data: \"odd.test. 600 IN TYPE65280 \\# 3 010203\"\n";
        Self::run(tempfile::tempdir().unwrap(), |_| local.to_owned())
    }

    /// With what `zones` adds to the configuration.
    fn run(dir: tempfile::TempDir, zones: impl Fn(SocketAddr) -> String) -> Self {
        let address = free_address();
        let path = dir.path().join("unbound.conf");
        let config = format!(
            "server:\n  interface: 127.0.0.1@{}\n  do-daemonize: no\n  chroot: \"\"\n  \
             username: \"\"\n  pidfile: \"\"\n  use-syslog: no\n  verbosity: 1\n  \
             directory: \"{}\"\n  module-config: \"iterator\"\n{}\
             remote-control:\n  control-enable: no\n",
            address.port(),
            dir.path().display(),
            zones(address)
        );
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new("unbound");
        let program = start(command.arg("-d").arg("-c").arg(&path), "start of service");
        Self { address, _program: program, _dir: dir }
    }
}

/// nsd as the authority for one zone.
pub(crate) struct Nsd {
    pub address: SocketAddr,
    program: Program,
    _dir: tempfile::TempDir,
}

impl Drop for Nsd {
    /// Asked to end, so that it ends its own children.
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.program.0.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = self.program.0.wait();
        }
    }
}

impl Nsd {
    pub(crate) fn start(zone: &str, text: &str) -> Self {
        let address = free_address();
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("zone"), text).unwrap();
        let config = format!(
            "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  chroot: \"\"\n  \
             database: \"\"\n  pidfile: \"{dir}/pid\"\n  xfrdfile: \"{dir}/xfrd\"\n  \
             zonelistfile: \"{dir}/list\"\n  zonesdir: \"{dir}\"\n  verbosity: 1\n\
             remote-control:\n  control-enable: no\n\
             zone:\n  name: {zone}\n  zonefile: zone\n",
            port = address.port(),
            dir = dir.path().display()
        );
        std::fs::write(path("nsd.conf"), config).unwrap();
        let mut command = Command::new("nsd");
        let program = start(command.arg("-d").arg("-c").arg(path("nsd.conf")), "nsd started");
        Self { address, program, _dir: dir }
    }
}

/// A server by hand: each datagram is answered with what `answer` makes of it.
pub(crate) struct Scripted {
    pub address: SocketAddr,
    pub asked: Arc<Mutex<Vec<Message>>>,
}

impl Scripted {
    pub(crate) fn start(answer: impl Fn(&Message) -> Vec<Message> + Send + 'static) -> Self {
        Self::on(UdpSocket::bind(any()).unwrap(), answer)
    }

    pub(crate) fn on(
        socket: UdpSocket,
        answer: impl Fn(&Message) -> Vec<Message> + Send + 'static,
    ) -> Self {
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        // Ends with the test's process.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer) {
                let query = Message::from_vec(&buffer[..length]).unwrap();
                log.lock().unwrap().push(query.clone());
                for answer in answer(&query) {
                    let _ = socket.send_to(&answer.to_vec().unwrap(), client);
                }
            }
        });
        Self { address, asked }
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// An answer to `query` with this code and no records.
pub(crate) fn coded(query: &Message, code: ResponseCode) -> Message {
    let mut answer = Message::response(query.metadata.id, OpCode::Query);
    answer.metadata.response_code = code;
    answer.add_queries(query.queries.clone());
    answer
}

/// An answer to `query` with one A record.
pub(crate) fn address_answer(query: &Message, address: [u8; 4], ttl: u32) -> Message {
    use hickory_proto::rr::{RData, Record, rdata::A};
    let mut answer = coded(query, ResponseCode::NoError);
    let name = query.queries[0].name().clone();
    let [a, b, c, d] = address;
    answer.add_answer(Record::from_rdata(name, ttl, RData::A(A::new(a, b, c, d))));
    answer
}

/// A proxy in a thread; its log lines can be read.
pub(crate) struct Proxy {
    pub address: SocketAddr,
    pub addresses: Vec<SocketAddr>,
    pub events: Receiver<String>,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// With these servers and the usual configuration.
    pub(crate) fn to(servers: &[SocketAddr]) -> Self {
        Self::start(Config::new(vec![any()], Upstreams::Servers(servers.to_vec())))
    }

    pub(crate) fn start(mut config: Config) -> Self {
        let (sender, events) = channel();
        let sender = Mutex::new(sender);
        config.sink = Arc::new(move |event: &Event<'_>| {
            let _ = sender.lock().unwrap().send(event.to_string());
        });
        let server = Server::bind(config).unwrap();
        let addresses = server.addresses();
        let stopper = server.stopper();
        let thread = Some(std::thread::spawn(move || server.run().unwrap()));
        Self { address: addresses[0], addresses, events, stopper, thread }
    }

    pub(crate) fn stop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// The next line of the log that holds `text`.
    pub(crate) fn event(&self, text: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(event) = self.events.recv_timeout(PATIENCE) {
            if event.contains(text) {
                return event;
            }
            seen.push(event);
        }
        panic!("no \"{text}\" in {seen:#?}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// A query as a client sends it.
pub(crate) fn query(name: &str, rtype: RecordType) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), rtype));
    message
}

/// The same with EDNS.
pub(crate) fn edns_query(name: &str, rtype: RecordType, payload: u16) -> Message {
    let mut message = query(name, rtype);
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    message.set_edns(edns);
    message
}

/// Asks by UDP. The socket is connected, so that an answer from another address is none.
pub(crate) fn udp(server: SocketAddr, query: &Message) -> Message {
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket.send(&query.to_vec().unwrap()).unwrap();
    let mut buffer = [0; 65535];
    let length = socket.recv(&mut buffer).expect("an answer in time");
    Message::from_vec(&buffer[..length]).unwrap()
}

/// Asks by TCP, all on one connection, and takes the answers as they come.
pub(crate) fn tcp(server: SocketAddr, queries: &[Message]) -> Vec<Message> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for query in queries {
        let bytes = query.to_vec().unwrap();
        stream.write_all(&(bytes.len() as u16).to_be_bytes()).unwrap();
        stream.write_all(&bytes).unwrap();
    }
    let answer = |_| {
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut bytes).unwrap();
        Message::from_vec(&bytes).unwrap()
    };
    queries.iter().map(answer).collect()
}

/// The data of the answer's records, as text.
pub(crate) fn data(answer: &Message) -> Vec<String> {
    answer.answers.iter().map(|record| record.data.to_string()).collect()
}

/// What dig prints.
pub(crate) fn dig(server: SocketAddr, args: &str) -> String {
    let output = Command::new("dig")
        .arg(format!("@{}", server.ip()))
        .arg(format!("-p{}", server.port()))
        .args(["+tries=1", "+time=3"])
        .args(args.split_whitespace())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
