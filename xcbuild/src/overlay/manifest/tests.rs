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
    insta::assert_snapshot!(error("description = 'x'\npackages = [\n'nmap',\n'-o x']\n"), @"o/ovl.toml:2: `-o x` is no name");
    insta::assert_snapshot!(error("description = 'x'\n[links]\n'bin/x' = 'y'\n"), @"o/ovl.toml:3: `bin/x` is a path in a node: write `/bin/x`");
    insta::assert_snapshot!(error("description = 'x'\n[links]\n'/../x' = 'y'\n"), @"o/ovl.toml:3: `/../x` leads out of its tree by `..`");
    insta::assert_snapshot!(error("description = 'x'\n[[file]]\npath = '/x'\ntext = ''\nmode = 644\n"), @"o/ovl.toml:5: invalid type: integer `644`, expected a string");
    insta::assert_snapshot!(error("description = 'x'\n[[file]]\npath = '/x'\ntext = ''\nmode = '0888'\n"), @r#"o/ovl.toml:5: `0888` is no mode: write it in octal, as "0644" or "4755""#);
    insta::assert_snapshot!(error("description = 'x'\n[attributes]\n'/x' = { owner = 'root' }\n"), @r#"o/ovl.toml:3: `root` is no owner: write two numbers, as "0:42""#);
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
    insta::assert_snapshot!(error("description = 'x'\n[variables]\n'A-B' = ''\n"), @"o/ovl.toml:3: `A-B` is no variable's name (letters, digits and _)");
    insta::assert_snapshot!(error("description = 'x'\n[script]\nrun = 'x'\nvariables = ['HOME']\n"), @"o/ovl.toml:4: the variable `HOME` is not declared under [variables]");
}
