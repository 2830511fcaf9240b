use super::*;

fn error(text: &str) -> String {
    parse("Corefile", text, &Nothing).unwrap_err().to_string()
}

#[test]
fn a_corefile_with_everything_is_understood() {
    let text = r#"
(common) {
    errors
    log . "{proto} {name} {rcode}" {
        class denial error
    }
}
.:53, .:10053 {
    import common
    bind 127.0.0.1 lo
    health :8080 {
        lameduck 5s
    }
    ready
    prometheus localhost:9153
    reload 10s 5s
    loop
    root /etc/dns
    cache 30 example.org {
        success 5000 60
        denial 2500 10 5
        serve_stale 1h verified
        prefetch 10 1m 10%
    }
    hosts hosts.txt example.org {
        10.0.0.1 a.example.org b
        ttl 60
        fallthrough in-addr.arpa
    }
    file db.example.org example.org {
        reload 30s
    }
    template IN A example {
        match ^ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)[.]example[.]$
        answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ .Group.b }}"
        fallthrough
    }
    rewrite stop name suffix .old.example .new.example answer auto
    rewrite type ANY HINFO
    forward . 192.0.2.1 [2001:db8::1]:5353 dns://192.0.2.2 /etc/resolv.conf {
        except local 10.0.0.0/8
        policy round_robin
        max_fails 0
        prefer_udp
        health_check 5s no_rec domain example.org
    }
    loadbalance
}
example.org:5300 {
    whoami
}
"#;
    let corefile = parse("Corefile", text, &Nothing).unwrap();
    let [first, second] = corefile.blocks.as_slice() else { panic!("{corefile:#?}") };
    assert_eq!(first.keys.iter().map(|key| key.port).collect::<Vec<_>>(), [Some(53), Some(10_053)]);
    let plugins = &first.plugins;
    assert_eq!(plugins.reload.map(|interval| interval.as_secs()), Some(10));
    assert_eq!(plugins.bind.len(), 2);
    let cache = plugins.cache.as_ref().unwrap();
    assert_eq!((cache.max_ttl, cache.max_negative_ttl, cache.zones.len()), (60, 10, 1));
    let hosts = plugins.hosts.as_ref().unwrap();
    assert_eq!((hosts.path.to_str(), hosts.inline.len()), (Some("/etc/dns/hosts.txt"), 1));
    assert_eq!(plugins.files[0].path.to_str(), Some("/etc/dns/db.example.org"));
    let forward = &plugins.forwards[0];
    let servers: Vec<String> = forward.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:5353", "192.0.2.2:53"]);
    assert_eq!(forward.resolv_conf.as_ref().unwrap().to_str(), Some("/etc/resolv.conf"));
    assert!(forward.never_avoid && forward.except.len() == 2);
    assert_eq!((plugins.rewrites.len(), plugins.templates.len(), plugins.log.len()), (2, 1, 1));
    assert!(second.plugins.whoami && !second.plugins.errors);
    assert_eq!(corefile.without_effect, ["Corefile:47: loadbalance has no effect here"]);
}

#[test]
fn what_is_not_understood_is_an_error_with_its_line() {
    for (plugin, expected) in [
        ("nonsense", "unknown plugin `nonsense`"),
        (
            "kubernetes cluster.local",
            "plugin kubernetes: this stand-in for CoreDNS does not have it: bring a real",
        ),
        ("etcd", "plugin etcd: this stand-in"),
        ("tls a b", "plugin tls: this stand-in for CoreDNS has no TLS"),
        ("forward", "forward: a zone, such as `.` is expected"),
        ("forward .", "forward: a server to forward to is expected"),
        ("forward . tls://192.0.2.1", "forward: tls:// is not supported"),
        ("forward . dns.example", "forward: `dns.example` is not an address"),
        ("forward . 192.0.2.1:x", "forward: `192.0.2.1:x` is not an address"),
        ("forward . 192.0.2.1 {\nnonsense\n}", "forward: unknown option `nonsense`"),
        ("forward . 192.0.2.1 {\npolicy any\n}", "forward policy: `any`: random, round_robin"),
        ("forward . 192.0.2.1 {\nmax_fails\n}", "forward max_fails: a number is expected"),
        ("forward . 192.0.2.1 {\nforce_tcp x\n}", "forward force_tcp: unexpected argument `x`"),
        ("forward . 192.0.2.1 {\ntls_servername x\n}", "forward tls_servername: this stand-in"),
        ("forward . 192.0.2.1 {\nnext NXDOMAIN\n}", "forward next: it is not supported"),
        ("cache x..y", "cache: \"x..y\" is no"),
        ("cache 0", "cache: the TTL has to be more than 0"),
        ("cache {\nnonsense\n}", "cache: unknown option `nonsense`"),
        ("cache {\nsuccess x\n}", "cache success: `x`: a number of answers"),
        ("cache\ncache", "cache: it can only be used once"),
        ("hosts f {\nnonsense\n}", "hosts: unknown option `nonsense`"),
        ("hosts f {\n10.0.0.1\n}", "hosts 10.0.0.1: a name is expected"),
        ("hosts f {\n10.0.0.1 a..b\n}", "hosts 10.0.0.1: \"a..b\""),
        ("hosts f {\nttl x\n}", "hosts ttl: `x`: a TTL"),
        ("log {\nclass x\n}", "log class: unknown class `x`"),
        ("log . \"{nonsense}\"", "log: the format has no `{nonsense}`"),
        ("template IN", "template: a record type is expected"),
        ("template CH A", "template: `CH`: class IN or ANY is expected"),
        ("template IN A {\nmatch (\n}", "template match: regular expression `(`"),
        (
            "template IN A {\nanswer \"{{ .Meta }}\"\n}",
            "template answer: `{{ .Meta }}` is not supported",
        ),
        ("template IN A {\nanswer \"{{ .Group.a }}\"\n}", "template: no pattern has a group `a`"),
        ("template IN A {\nrcode X\n}", "template rcode: `X`: a response code"),
        ("rewrite", "rewrite: one rule is expected"),
        ("rewrite class CH IN", "rewrite: class is not supported"),
        ("rewrite nonsense a b", "rewrite: `nonsense`: name, type or ttl is expected"),
        ("rewrite name a", "rewrite: the name that it becomes is expected"),
        ("rewrite name regex ( b", "rewrite: regular expression `(`"),
        ("file", "file: a master file is expected"),
        ("health x", "health: `x`: an address with a port"),
        ("bind", "bind: an address or an interface is expected"),
        ("acl {\nnonsense\n}", "acl: unknown option `nonsense`"),
        ("acl {\nblock net x\n}", "acl block: `x` is not a network"),
        ("whoami x", "whoami: unexpected argument `x`"),
        ("errors {\nx\n}", "errors: unknown option `x`"),
    ] {
        let found = error(&format!(". {{\n{plugin}\n}}\n"));
        // Options and what is repeated stand on the third line.
        let line =
            if plugin.contains('\n') && !expected.starts_with("template: no") { 3 } else { 2 };
        let expected = format!("Corefile:{line} - Error during parsing: {expected}");
        assert!(found.starts_with(&expected), "{plugin}: {found}");
    }
}

#[test]
fn a_zone_is_served_once() {
    for (text, expected) in [
        (".:53 {\n}\n.:53 {\n}\n", true),
        (". {\n}\n.:53 {\n}\n", true),
        ("a a {\n}\n", true),
        (".:53 {\n}\n.:54 {\n}\n", false),
        (".:53 {\nbind 127.0.0.1\n}\n.:53 {\nbind 127.0.0.2\n}\n", false),
    ] {
        let found = parse("Corefile", text, &Nothing);
        assert_eq!(found.is_err(), expected, "{text}");
    }
    let found = error(". {\n}\n\n. {\n}\n");
    assert_eq!(
        found,
        "Corefile:4 - Error during parsing: cannot serve dns://.:53 - it is already defined"
    );
}

proptest::proptest! {
    /// Any text is read or refused, with a line that it has.
    #[test]
    fn no_text_breaks_the_parser(
        text in "((\\.|a:53|\\{|\\}|\"|#|import|log|cache|hosts|forward|template IN A|match|answer|rewrite|name|10\\.0\\.0\\.1|/x|30|\\(s\\)|,|\\{\\$A\\})[ \n]{1,2}){0,30}",
    ) {
        if let Err(error) = parse("f", &text, &Nothing) {
            assert!((1..=text.split('\n').count()).contains(&error.place.line), "{error}");
        }
    }
}
