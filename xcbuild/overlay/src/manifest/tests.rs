//! Manifests that are right and, mostly, ones that are wrong.

use super::{TreeName, parse};

fn error(text: &str) -> String {
    parse("o/ovl.toml", text).unwrap_err().to_string()
}

#[test]
fn all_fields_are_taken() {
    let manifest = parse(
        "ovl.toml",
        r#"
        description = "everything"
        needs = ["network-topology"]
        conflicts = ["xnet"]
        topology = "diamond"
        packages = ["nftables", "libstdc++6"]
        leave_out = ["/usr/share/doc/"]
        programs = ["nmap"]
        trees = ["default", "${SETUP}", "by-flavour/${FLAVOUR}"]
        topologies = "topologies"
        modules = ["ip_vs"]

        [variables]
        FLAVOUR = "plain"

        [test]
        command = "/bin/x_test"
        nodes = [1, 201]

        [script]
        run = "build"
        inputs = ["src"]
        programs = ["gcc"]
        variables = ["FLAVOUR"]

        [[archive]]
        name = "x.tar.gz"
        sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        to = "/opt"
        strip = 1
        only = ["bin"]

        [[file]]
        path = "/etc/flavour"
        template = "${FLAVOUR}\n"
        mode = "0600"
        owner = "0:42"

        [[device]]
        path = "/dev/tun"
        kind = "char"
        major = 10
        minor = 200

        [links]
        "/bin/y" = "x"

        [alternatives]
        "/usr/sbin/iptables" = "/usr/sbin/iptables-nft"

        [attributes]
        "/etc/shadow" = { mode = "0640", owner = "0:42" }
        "#,
    )
    .unwrap();
    assert_eq!(manifest.files[0].mode.0, 0o600);
    assert_eq!(manifest.files[0].owner.gid, 42);
    let names: Vec<_> = manifest.trees().iter().map(|t| (t.template, t.optional)).collect();
    let expected = [("default", false), ("${SETUP}", true), ("by-flavour/${FLAVOUR}", true)];
    assert_eq!(names, expected);
}

#[test]
fn little_is_needed() {
    let manifest = parse("ovl.toml", "description = 'x'").unwrap();
    let optional = |template| TreeName { template, optional: true };
    assert_eq!(manifest.trees(), [optional("default"), optional("${SETUP}")]);
}

#[test]
fn errors_have_the_line_and_the_near_name() {
    insta::assert_snapshot!(error("description = 'x'\npackage = []\n"), @"o/ovl.toml:2: unknown field `package`, expected one of `description`, `needs`, `conflicts`, `topology`, `test`, `variables`, `packages`, `without`, `leave_out`, `archive`, `programs`, `script`, `trees`, `topologies`, `file`, `links`, `alternatives`, `device`, `modules`, `attributes`; did you mean `packages`?");
    insta::assert_snapshot!(error("description = 'x'\n[[file]]\npath = '/x'\ntemplat = 'y'\n"), @"o/ovl.toml:4: unknown field `templat`, expected one of `path`, `text`, `template`, `from`, `host`, `exports`, `joined`, `mode`, `owner`; did you mean `template`?");
    insta::assert_snapshot!(error("packages = []\n"), @"o/ovl.toml:1: missing field `description`");
    insta::assert_snapshot!(error("description = 'x\n"), @"o/ovl.toml:1: invalid literal string, expected `'`");
    insta::assert_snapshot!(error("description = 'x'\npackages = 'nmap'\n"), @r#"o/ovl.toml:2: invalid type: string "nmap", expected a sequence"#);
    insta::assert_snapshot!(error("description = 'x'\npackages = [\n'nmap',\n'-o x']\n"), @"o/ovl.toml:2: `-o x` is not a name");
    insta::assert_snapshot!(error("description = 'x'\n[links]\n'bin/x' = 'y'\n"), @"o/ovl.toml:3: `bin/x` is a path in a node: write `/bin/x`");
    insta::assert_snapshot!(error("description = 'x'\n[links]\n'/../x' = 'y'\n"), @"o/ovl.toml:3: `/../x` leads out of its tree by `..`");
    insta::assert_snapshot!(error("description = 'x'\n[[file]]\npath = '/x'\ntext = ''\nmode = 644\n"), @"o/ovl.toml:5: invalid type: integer `644`, expected a string");
    insta::assert_snapshot!(error("description = 'x'\n[[file]]\npath = '/x'\ntext = ''\nmode = '0888'\n"), @r#"o/ovl.toml:5: `0888` is not a mode: write it in octal, as "0644" or "4755""#);
    insta::assert_snapshot!(error("description = 'x'\n[attributes]\n'/x' = { owner = 'root' }\n"), @r#"o/ovl.toml:3: `root` is not an owner: write two numbers, as "0:42""#);
    insta::assert_snapshot!(error("description = 'x'\n[[device]]\npath = '/x'\nkind = 'chr'\nmajor = 1\nminor = 1\n"), @"o/ovl.toml:4: unknown variant `chr`, expected `block` or `char`; did you mean `char`?");
    insta::assert_snapshot!(error("description = 'x'\n[[archive]]\nname = 'x.tgz'\nsha256 = 'abc'\n"), @"o/ovl.toml:4: `abc` is not a SHA-256 digest (64 hexadecimal digits)");
    insta::assert_snapshot!(error("description = 'x'\n[script]\nrun = '/bin/sh'\n"), @"o/ovl.toml:3: `/bin/sh` is not a path in the overlay's directory: write it relative to ovl.toml");
}

#[test]
fn contradictions_have_their_line() {
    insta::assert_snapshot!(error("description = 'x'\n\n[[file]]\npath = '/x'\n"), @"o/ovl.toml:4: `/x` has no content: give it text, template, from, host, exports or joined");
    insta::assert_snapshot!(error("description = 'x'\n[[file]]\npath = '/x'\ntext = ''\nhost = '/y'\n"), @"o/ovl.toml:3: `/x` has 2 contents: give it one of text, template, from, host, exports or joined");
    insta::assert_snapshot!(error("description = 'x'\n[[file]]\npath = '/x'\ntemplate = '''\n${FLAVOR}'''\n[variables]\nFLAVOUR = ''\n"), @"o/ovl.toml:4: the variable `FLAVOR` is not declared under [variables]; did you mean `FLAVOUR`?");
    insta::assert_snapshot!(error("description = 'x'\ntrees = ['a', '${SETPU}']\n"), @"o/ovl.toml:2: the variable `SETPU` is not declared under [variables]; did you mean `SETUP`?");
    insta::assert_snapshot!(error("description = 'x'\ntrees = ['a',\n '../b']\n"), @"o/ovl.toml:3: `../b` is not a directory in the overlay");
    insta::assert_snapshot!(error("description = 'x'\n[variables]\n'A-B' = ''\n"), @"o/ovl.toml:3: `A-B` is not a variable's name (letters, digits and _)");
    insta::assert_snapshot!(error("description = 'x'\n[script]\nrun = 'x'\nvariables = ['HOME']\n"), @"o/ovl.toml:4: the variable `HOME` is not declared under [variables]");
}

#[test]
fn cases_of_a_test_are_read() {
    let manifest = parse(
        "ovl.toml",
        r#"
        description = "x"
        [test]
        command = "true"
        [[test.case]]
        name = "routes"
        nodes = ["routers", 1, "vm-004"]
        run = "ip route"
        contains = "default"
        lacks = ["blackhole", "prohibit"]
        matches = "^default.*(201|202)$"
        within = 20
        every = 2
        needs = "test -x /bin/ip"
        [[test.case]]
        name = "refuses"
        nodes = ["all"]
        run = "x --bad"
        exit = 2
        "#,
    );
    let cases = manifest.unwrap().test.unwrap().into_inner().all();
    let names: Vec<_> = cases.iter().map(|c| c.name.get_ref().as_str()).collect();
    assert_eq!(names, ["works", "routes", "refuses"]);
    let places = cases.iter().map(|c| c.nodes.iter().map(ToString::to_string).collect::<Vec<_>>());
    let places: Vec<_> = places.map(|p| p.join(" ")).collect();
    assert_eq!(places, ["vm-001", "routers vm-001 vm-004", "all"]);
    assert_eq!((cases[1].within.0, cases[1].every.unwrap().0, cases[0].within.0), (20, 2, 60));
    assert!(cases[1].matches.as_ref().unwrap().0.is_match("a\ndefault via 201\nb"));
    assert_eq!(cases[1].lacks.0, ["blackhole", "prohibit"]);
    assert_eq!(cases[2].exit, 2);
}

#[test]
fn tests_that_cannot_be_have_their_line() {
    let case =
        |fields: &str| error(&format!("description = 'x'\n[[test.case]]\nname = 'a'\n{fields}"));
    insta::assert_snapshot!(error("description = 'x'\n[test]\n"), @"o/ovl.toml:2: [test] has no case: give it `command`, or [[test.case]]");
    insta::assert_snapshot!(error("description = 'x'\n[test]\ncommand = 'x'\nnodes = []\n"), @"o/ovl.toml:2: nodes = [] are no nodes: leave it out for node 1");
    insta::assert_snapshot!(error("description = 'x'\n[test]\ncommand = 'x'\nnodes = [241]\n"), @"o/ovl.toml:4: `241` is not a node: write a number from 1 to 240, vms, routers, testers or all");
    insta::assert_snapshot!(case("run = 'x'\nnodes = ['routes']\n"), @"o/ovl.toml:5: `routes` is not a node: write a number from 1 to 240, vms, routers, testers or all");
    insta::assert_snapshot!(case("nodes = [1]\n"), @"o/ovl.toml:2: missing field `run`");
    insta::assert_snapshot!(case("run = 'x'\nexpect = 1\n"), @"o/ovl.toml:5: unknown field `expect`, expected one of `name`, `nodes`, `run`, `exit`, `contains`, `lacks`, `matches`, `within`, `every`, `needs`");
    insta::assert_snapshot!(case("run = 'x'\nmatches = 'a(b'\n"), @"o/ovl.toml:5: `a(b` is not a regular expression: unclosed group");
    insta::assert_snapshot!(case("run = 'x'\ncontains = 3\n"), @"o/ovl.toml:5: a text or a list of texts is expected");
    insta::assert_snapshot!(case("run = 'x'\ncontains = ['']\n"), @"o/ovl.toml:5: an empty text is in every output");
    insta::assert_snapshot!(case("run = 'x'\nwithin = 0\n"), @"o/ovl.toml:5: 0 are no seconds: a number from 1 to 86400");
    insta::assert_snapshot!(case("run = 'x'\n[[test.case]]\nname = 'a'\nrun = 'y'\n"), @"o/ovl.toml:6: there are two cases `a`");
    insta::assert_snapshot!(case("run = 'x'\n[[test.case]]\nname = ' '\nrun = 'y'\n"), @"o/ovl.toml:6: a case's name is one line of text");
}

/// Whoever adds a field finds out here that authors want to know of it.
#[test]
fn every_field_is_in_the_guide() {
    let guide = include_str!("../../../../docs/overlays.md");
    let fields = |text: &str| -> Vec<String> {
        let e = parse("f", text).unwrap_err();
        let list = e.message.split_once("expected ").unwrap().1.to_owned();
        let list = list.split(';').next().unwrap().to_owned();
        list.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    };
    let base = "description = 'x'\n";
    let tables = [
        String::new(),
        "[test]\n".into(),
        "[[test.case]]\n".into(),
        "[script]\n".into(),
        "[[archive]]\n".into(),
        "[[file]]\n".into(),
        "[[device]]\n".into(),
        "[attributes]\n'/x' = { no-such-field = 1 }\n".into(),
    ];
    let mut count = 0;
    for table in tables {
        let unknown = if table.contains("no-such") { "" } else { "no-such-field = 1\n" };
        let found = fields(&format!("{base}{table}{unknown}"));
        assert!(found.len() >= 2, "{table}: {found:?}");
        for field in found {
            let forms = [
                format!("`{field}`"),
                format!("{field} = "),
                format!("[{field}]"),
                format!(".{field}]"),
            ];
            let reported = forms.iter().any(|form| guide.contains(form));
            assert!(reported, "docs/overlays.md says nothing of `{field}` ({table})");
            count += 1;
        }
    }
    assert!(count > 40, "{count} fields");
}
