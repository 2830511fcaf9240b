//! Every field of a manifest, and the files that it names.

use super::{Fails, Layer, Nothing, Row, row, row_from};

pub(super) fn rows() -> Vec<Row> {
    [fields(), trees(), files(), entries(), variables(), overlays()].into_iter().flatten().collect()
}

/// The files of an overlay that its trees copy.
fn trees() -> Vec<Row> {
    vec![
        row("content of a file", Layer, |l| l.write("ovl/o/default/etc/x", "y")),
        row("content, same length and time", Layer, |l| l.rewrite("ovl/o/default/etc/x", "z")),
        row("executable bit set", Layer, |l| l.mode("ovl/o/default/etc/x", 0o755)),
        row("executable bit gone", Layer, |l| l.mode("ovl/o/default/bin/run", 0o644)),
        row("link's target", Layer, |l| l.link("y", "ovl/o/default/etc/link")),
        row("file becomes a link", Layer, |l| l.link("link", "ovl/o/default/bin/run")),
        row("file becomes a directory", Layer, |l| {
            l.remove("ovl/o/default/bin/run");
            l.write("ovl/o/default/bin/run/file", "");
        }),
        row("new file", Layer, |l| l.write("ovl/o/default/etc/new", "")),
        row("new empty directory", Layer, |l| {
            std::fs::create_dir(l.at("ovl/o/default/empty")).unwrap();
        }),
        row("file gone", Layer, |l| l.remove("ovl/o/default/bin/run")),
        row("file renamed", Layer, |l| {
            let at = |name: &str| l.at(&format!("ovl/o/default/bin/{name}"));
            std::fs::rename(at("run"), at("go")).unwrap();
        }),
        row("pipe in a tree", Layer, |l| {
            crate::common::tool::run("mkfifo", &[l.at("ovl/o/default/pipe").to_str().unwrap()]);
        }),
        row("variant by SETUP", Layer, |l| l.set("SETUP", "variant")),
        row("SETUP of another overlay", Nothing, |l| l.set("SETUP", "elsewhere")),
        row("SETUP that leads out", Nothing, |l| l.set("SETUP", "../n/default,/etc")),
        row("variant by a variable", Layer, |l| l.set("PART", "two")),
        row("two variants", Layer, |l| l.set("PART", "one,two")),
        row("trees in another order", Layer, |l| {
            l.set("SETUP", "variant");
            l.replace(r#""default", "${SETUP}""#, r#""${SETUP}", "default""#);
        }),
        row("a tree that is not there", Fails("the tree `none` is not there"), |l| {
            l.replace(r#"trees = ["default""#, r#"trees = ["none""#);
        }),
        row("directory of an unused variant", Nothing, |l| l.write("ovl/o/part/three/x", "")),
        row("file that nobody copies", Nothing, |l| l.write("ovl/o/README.md", "x")),
    ]
}

/// `[[file]]`.
fn files() -> Vec<Row> {
    vec![
        row("text", Layer, |l| l.replace(r#"text = "text""#, r#"text = "other""#)),
        row("file's mode", Layer, |l| l.replace("0640", "0644")),
        row("file's owner", Layer, |l| l.replace("0:41", "0:44")),
        row("file's path", Layer, |l| l.replace("/etc/text", "/etc/other")),
        row("template", Layer, |l| l.replace(r#"template = "template"#, r#"template = "new"#)),
        row("template's file", Layer, |l| l.write("ovl/o/from.in", "to ${FLAVOUR}\n")),
        row("host file", Layer, |l| l.write("host/zone", "other\n")),
        row("host file's name, same content", Nothing, |l| {
            l.write("host/zone2", "zone\n");
            l.set("ZONE", l.at("host/zone2").to_str().unwrap());
        }),
        row("host file's name by a variable", Layer, |l| {
            l.write("host/zone2", "two\n");
            l.set("ZONE", l.at("host/zone2").to_str().unwrap());
        }),
        row("host file is a link elsewhere", Layer, |l| {
            l.write("host/zone2", "two\n");
            l.link("zone2", "host/zone");
        }),
        row("host file gone", Fails("zone"), |l| l.remove("host/zone")),
        row("exported variable appears", Layer, |l| l.set("xcluster_NEW", "1")),
        row("exported option", Layer, |l| l.set("__nvm", "3")),
        row_from(
            "exports",
            Layer,
            |l| l.set("__nvm", "3"),
            |l| {
                l.replace(r#""xcluster_*", "__nvm""#, r#""xcluster_*""#);
            },
        ),
        row("one of the joined files", Layer, |l| l.write("ovl/o/default/etc/parts/2", "3")),
        row("joined directories", Layer, |l| {
            l.replace(r#"joined = ["/etc/parts"]"#, r#"joined = ["/etc/parts", "/usr/bin"]"#);
        }),
        row("joined of nothing", Fails("which is not there"), |l| {
            l.replace(r#"joined = ["/etc/parts"]"#, r#"joined = ["/none"]"#);
        }),
        row("order of two files at one path", Layer, |l| {
            l.replace("/etc/template", "/etc/text");
        }),
    ]
}

/// `links`, `alternatives`, `[[device]]`, `modules`, `[attributes]`.
fn entries() -> Vec<Row> {
    vec![
        row("link's text", Layer, |l| l.replace(r#""/bin/l" = "x""#, r#""/bin/l" = "y""#)),
        row("link's place", Layer, |l| l.replace("/bin/l", "/bin/m")),
        row("alternative", Layer, |l| l.replace("/usr/sbin/b", "/usr/sbin/c")),
        row("alternative's name", Layer, |l| l.replace("/usr/sbin/a", "/usr/sbin/z")),
        row("device's path", Layer, |l| l.replace("/dev/tun", "/dev/tap")),
        row("device's kind", Layer, |l| l.replace(r#"kind = "char""#, r#"kind = "block""#)),
        row("device's major number", Layer, |l| l.replace("major = 10", "major = 11")),
        row("device's minor number", Layer, |l| l.replace("minor = 200", "minor = 201")),
        row("device's mode", Layer, |l| l.replace("0660", "0600")),
        row("device's owner", Layer, |l| l.replace("0:43", "0:45")),
        row("module", Layer, |l| l.replace("ip_vs", "sctp")),
        row("one more module", Layer, |l| l.replace(r#""ip_vs""#, r#""ip_vs", "sctp""#)),
        row("attribute's mode", Layer, |l| l.replace("0600", "0400")),
        row("attribute's owner", Layer, |l| l.replace("0:42", "0:46")),
        row("attribute's path", Layer, |l| {
            l.replace(r#""/etc/x" = {"#, r#""/etc/text" = {"#);
        }),
        row("attribute of nothing", Fails("which the overlay lacks"), |l| {
            l.replace(r#""/etc/x" = {"#, r#""/none" = {"#);
        }),
    ]
}

/// The fields that take something of the host; their files are rows of `host`.
fn fields() -> Vec<Row> {
    vec![
        row("a comment", Nothing, |l| l.manifest(|text| format!("# new\n{text}"))),
        row("description", Nothing, |l| l.replace("every field", "all")),
        row("test", Nothing, |l| l.replace(r#"command = "true""#, r#"command = "false""#)),
        row("conflicts", Nothing, |l| l.replace("never", "also-never")),
        row("conflict that is there", Fails("can't be used together with `n`"), |l| {
            l.replace("never", "n");
        }),
        row("topology that it wants", Fails("needs TOPOLOGY=odd"), |l| {
            l.replace("modules =", "topology = \"odd\"\nmodules =");
        }),
        row("topology that it wants and has", Nothing, |l| {
            l.replace("modules =", "topology = \"xnet\"\nmodules =");
        }),
        row("TOPOLOGY", Layer, |l| l.set("TOPOLOGY", "other")),
        row("the topology's file", Layer, |l| {
            let path = l.at("ovl/o/topologies/xnet.toml");
            let text = std::fs::read_to_string(path).unwrap();
            l.write(
                "ovl/o/topologies/xnet.toml",
                &text
                    .replace("[0, 1]", "[0, 1, 2]\n")
                    .replace("[network.1]", "[network.1]\n[network.2]"),
            );
        }),
        row("another topology's file", Nothing, |l| l.write("ovl/o/topologies/other.toml", "")),
        row("a variable of the topology", Layer, |l| l.set("LAN", "yes")),
        row("no topologies", Layer, |l| l.replace("topologies = \"topologies\"\n", "")),
        row("no trees", Layer, |l| {
            l.replace(
                r#"trees = ["default", "${SETUP}", "part/${PART}"]"#,
                r#"trees = ["default"]"#,
            );
        }),
        row("unknown field", Fails("7: unknown field `module`"), |l| {
            l.replace("modules", "module");
        }),
    ]
}

/// Variables, declared and not.
fn variables() -> Vec<Row> {
    vec![
        row("declared variable", Layer, |l| l.set("FLAVOUR", "odd")),
        row("declared variable, set to its default", Nothing, |l| l.set("FLAVOUR", "plain")),
        row("declared variable, empty", Nothing, |l| l.set("FLAVOUR", "")),
        row("default of a variable", Layer, |l| l.replace(r#""plain""#, r#""odd""#)),
        row("default of a variable that is set", Nothing, |l| {
            // Set to what it was before the default changed.
            l.set("FLAVOUR", "plain");
            l.replace(r#""plain""#, r#""odd""#);
        }),
        row("variable that nobody declares", Nothing, |l| l.set("OTHER", "x")),
    ]
}

/// Overlays beside it.
fn overlays() -> Vec<Row> {
    vec![
        row("content of a needed overlay", Layer, |l| l.write("ovl/n/default/etc/needed", "m\n")),
        row("needs something else", Layer, |l| {
            l.write("ovl/m/ovl.toml", "description = 'm'\n");
            l.replace(r#"needs = ["n"]"#, r#"needs = ["n", "m"]"#);
        }),
        row("needs what is not there", Fails("needs the overlay `gone`"), |l| {
            l.replace(r#"needs = ["n"]"#, r#"needs = ["gone"]"#);
        }),
        row("another overlay beside it", Nothing, |l| {
            l.write("ovl/m/ovl.toml", "description = 'm'\n");
        }),
        row("an overlay of that name comes first on the path", Layer, |l| {
            l.write("first/n/ovl.toml", "description = 'first'\n");
            l.write("first/n/default/etc/first", "");
            let path = format!("{}:{}", l.at("first").display(), l.at("ovl").display());
            l.set("XCLUSTER_OVLPATH", &path);
        }),
    ]
}
