use super::*;
use std::time::Duration;

fn addresses(text: &str) -> Vec<SocketAddr> {
    text.split_whitespace().map(|address| address.parse().unwrap()).collect()
}

fn open(upstreams: &Upstreams, listening: &str) -> Result<(Servers, Vec<String>), Error> {
    let mut config = Config::new(Vec::new(), upstreams.clone());
    config.timing.look_at_files = Duration::ZERO;
    Servers::open(&config, addresses(listening))
}

#[test]
fn forwarding_to_ourselves_is_refused() {
    for (server, listening, own) in [
        ("127.0.0.1:53", "127.0.0.1:53", true),
        ("127.0.0.1:53", "0.0.0.0:53", true),
        ("127.0.0.9:53", "0.0.0.0:53", true),
        ("[::1]:53", "[::]:53", true),
        ("127.0.0.1:53", "[::]:53", false),
        ("127.0.0.1:53", "127.0.0.1:10053", false),
        ("127.0.0.2:53", "127.0.0.1:53", false),
        ("192.0.2.1:53", "0.0.0.0:53 [::]:53", false),
    ] {
        let result = open(&Upstreams::Servers(addresses(server)), listening);
        assert_eq!(
            matches!(result, Err(Error::ForwardsToSelf(_))),
            own,
            "{server} from {listening}"
        );
    }
    assert!(matches!(open(&Upstreams::Servers(vec![]), ""), Err(Error::NoUpstream)));
}

#[test]
fn a_resolv_conf_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resolv.conf");
    let upstreams = Upstreams::ResolvConf(path.clone());
    let (mut servers, warnings) = open(&upstreams, "127.0.0.1:53").unwrap();
    assert_eq!((servers.describe().as_str(), warnings.len()), ("no server", 1));
    for (text, list, warnings) in [
        ("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", "192.0.2.1:53, 192.0.2.2:53", 0),
        ("nameserver 127.0.0.1\nnameserver 192.0.2.3\n", "192.0.2.3:53", 1),
        ("nameserver 127.0.0.1\n# only us\n", "no server", 2),
    ] {
        std::fs::write(&path, text).unwrap();
        let told = servers.reload(Instant::now() + Duration::from_secs(1)).unwrap();
        assert_eq!((servers.describe().as_str(), told.len()), (list, warnings), "{told:?}");
    }
    assert!(matches!(open(&upstreams, "127.0.0.1:53"), Err(Error::ForwardsToSelf(_))));
}

#[test]
fn the_silent_are_asked_last_for_a_while() {
    let (mut servers, _) =
        open(&Upstreams::Servers(addresses("192.0.2.1:53 192.0.2.2:53")), "").unwrap();
    let [one, two] = servers.list[..] else { panic!() };
    let now = Instant::now();
    let over = now + Timing::default().avoid;
    assert_eq!(servers.note(Some(two), vec![one, one], now), [one], "said once");
    assert_eq!(servers.note(Some(two), vec![one], now), [], "and not again");
    let order = |servers: &mut Servers, at| -> Vec<SocketAddr> {
        servers.in_order(at).into_iter().map(|peer| peer.address).collect()
    };
    assert_eq!(order(&mut servers, now), [two, one]);
    assert_eq!(order(&mut servers, over), [one, two]);
    servers.note(None, vec![one, two], now);
    assert_eq!(order(&mut servers, now), [one, two], "all bad: as configured");
    servers.note(Some(one), vec![], now);
    servers.note(None, vec![two], now);
    assert_eq!(order(&mut servers, now), [one, two]);
}

#[test]
fn edns_is_left_out_for_a_while() {
    let (mut servers, _) =
        open(&Upstreams::Servers(addresses("192.0.2.1:53 192.0.2.2:53")), "").unwrap();
    let [one, two] = servers.list[..] else { panic!() };
    let now = Instant::now();
    let peer = |address, edns| Peer { address, edns };
    servers.note(None, vec![one], now);
    assert_eq!((servers.note_plain(one, now), servers.note_plain(one, now)), (true, false));
    assert_eq!(servers.in_order(now), [peer(one, false), peer(two, true)], "and not avoided");
    let over = now + Timing::default().plain_for;
    assert_eq!(servers.in_order(over), [peer(one, true), peer(two, true)]);
}

#[test]
fn a_resolv_conf_without_servers_means_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resolv.conf");
    let upstreams = Upstreams::ResolvConf(path.clone());
    for text in [None, Some(""), Some("search example\n"), Some("nameserver nonsense\n")] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        for (listening, expected) in [
            ("127.0.0.1:10053 [::1]:10053", "127.0.0.1:53"),
            ("127.0.0.2:53", "127.0.0.1:53"),
            ("127.0.0.1:53", "no server"),
            ("0.0.0.0:53", "no server"),
        ] {
            let (servers, warnings) = open(&upstreams, listening).unwrap();
            assert_eq!(servers.describe(), expected, "{text:?} {listening}");
            assert_eq!(warnings.len(), 1, "{warnings:?}");
        }
    }
    let (mut servers, _) = open(&upstreams, "127.0.0.1:10053").unwrap();
    for (text, list) in [("nameserver 192.0.2.1\n", "192.0.2.1:53"), ("#\n", "127.0.0.1:53")] {
        std::fs::write(&path, text).unwrap();
        servers.reload(Instant::now() + Duration::from_secs(1)).unwrap();
        assert_eq!(servers.describe(), list);
    }
}

#[test]
fn the_policy_says_who_is_first() {
    let list = addresses("192.0.2.1:53 192.0.2.2:53 192.0.2.3:53");
    let mut config = Config::new(Vec::new(), Upstreams::Servers(list.clone()));
    let now = Instant::now();
    for (policy, expected) in
        [(Policy::Sequential, vec![0, 0, 0, 0]), (Policy::RoundRobin, vec![0, 1, 2, 0])]
    {
        config.forward.policy = policy;
        let (mut servers, _) = Servers::open(&config, Vec::new()).unwrap();
        let firsts = (0..4).map(|_| servers.in_order(now)[0].address);
        let expected: Vec<_> = expected.into_iter().map(|index: usize| list[index]).collect();
        assert_eq!(firsts.collect::<Vec<_>>(), expected, "{policy:?}");
    }
    config.forward.policy = Policy::Random;
    let (mut servers, _) = Servers::open(&config, Vec::new()).unwrap();
    let firsts: Vec<_> = (0..200).map(|_| servers.in_order(now)[0].address).collect();
    assert!(list.iter().all(|server| firsts.contains(server)), "each comes first at times");
    config.forward.never_avoid = true;
    let (mut servers, _) = Servers::open(&config, Vec::new()).unwrap();
    assert_eq!(servers.note(None, list, now), [], "none is avoided");
}

#[test]
fn given_servers_stay_when_a_resolv_conf_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resolv.conf");
    let mut config = Config::new(Vec::new(), Upstreams::ResolvConf(path.clone()));
    config.more_servers = addresses("192.0.2.9:5353");
    std::fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
    let (mut servers, _) = Servers::open(&config, Vec::new()).unwrap();
    assert_eq!(servers.describe(), "192.0.2.9:5353, 192.0.2.1:53");
    std::fs::write(&path, "").unwrap();
    servers.reload(Instant::now() + Duration::from_secs(1)).unwrap();
    assert_eq!(servers.describe(), "192.0.2.9:5353");
}
