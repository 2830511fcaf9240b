//! The ISO's own parts, and overlays that are tar files.

use super::lab::Lab;
use super::{Fails, Iso, Layer, Nothing, Row, row, row_from};
use crate::common::tool;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("label", Iso, |l| l.arguments(&["--label=other", "o"])),
        row("label as it was", Nothing, |l| l.arguments(&["--label=xcluster", "o"])),
        row("layout", Iso, |l| l.arguments(&["--layout=tar", "o"])),
        row("script", Iso, |l| with(l, "script", "echo\n", &["--script=", "o"])),
        row("cidata", Iso, |l| with(l, "cidata/user-data", "x", &["--cidata=", "o"])),
        row("where the ISO is written", Nothing, |l| {
            let option = format!("--cdrom={}", l.at("other.iso").display());
            l.arguments(&[&option, "o"]);
        }),
        row("one more overlay", Layer, |l| l.arguments(&["o", "env"])),
        row("an overlay by XOVLS", Layer, |l| l.set("XOVLS", "test")),
        row("named twice", Nothing, |l| l.arguments(&["o", "o"])),
        row("needed, and named", Nothing, |l| l.arguments(&["n", "o"])),
        row("given as a path", Nothing, |l| l.arguments(&["./ovl/o"])),
        row("an overlay that is not there", Fails("there is no overlay `x`"), |l| {
            l.arguments(&["o", "x"]);
        }),
    ];
    rows.extend(changed_parts());
    rows.extend(tars());
    rows
}

/// Sets arguments, in which an option that ends in `=` gets the path, whose file is written.
fn with(lab: &mut Lab, path: &str, text: &str, words: &[&str]) {
    lab.write(path, text);
    let top = lab.at(path.split('/').next().unwrap());
    let full = |word: &&str| match word.strip_suffix('=') {
        Some(_) => format!("{word}{}", top.display()),
        None => (*word).to_owned(),
    };
    lab.arguments = words.iter().map(full).collect();
}

/// Parts that the ISO has, changed.
fn changed_parts() -> Vec<Row> {
    fn script(lab: &mut Lab) {
        with(lab, "script", "echo\n", &["--script=", "o"]);
    }
    fn cidata(lab: &mut Lab) {
        with(lab, "cidata/user-data", "x", &["--cidata=", "o"]);
        lab.link("a", "cidata/link");
    }
    fn three(lab: &mut Lab) {
        lab.set("ZONEFILE", lab.at("host/zone").to_str().unwrap());
        lab.arguments(&["o", "env", "timezone"]);
    }
    vec![
        row_from("script's content", Iso, script, |l| l.write("script", "other\n")),
        row_from("script's name", Nothing, script, |l| {
            with(l, "script2", "echo\n", &["--script=", "o"]);
        }),
        row_from("script's permissions", Nothing, script, |l| l.mode("script", 0o700)),
        row_from("script gone", Fails("--script="), script, |l| l.remove("script")),
        row_from("no script", Iso, script, |l| l.arguments(&["--label=x", "o"])),
        row_from("cidata's content", Iso, cidata, |l| l.write("cidata/user-data", "y")),
        row_from("cidata's file names", Iso, cidata, |l| l.write("cidata/meta-data", "")),
        row_from("cidata's executable bit", Iso, cidata, |l| l.mode("cidata/user-data", 0o755)),
        row_from("cidata's link", Iso, cidata, |l| l.link("b", "cidata/link")),
        row_from("cidata's times", Nothing, cidata, |l| l.write("cidata/user-data", "x")),
        row_from("order of overlays", Iso, three, |l| l.arguments(&["o", "timezone", "env"])),
        row_from("one overlay less", Iso, three, |l| l.arguments(&["o", "env"])),
        row_from(
            "overlay's name",
            Iso,
            |l| l.arguments(&["n"]),
            |l| {
                std::fs::rename(l.at("ovl/n"), l.at("ovl/m")).unwrap();
                l.arguments(&["m"]);
            },
        ),
    ]
}

/// An overlay that is a tar file.
fn tars() -> Vec<Row> {
    fn tar(lab: &mut Lab, text: &str, options: &[&str], name: &str) {
        lab.write("t/etc/t", text);
        let (file, from) = (lab.at(name), lab.at("t"));
        let mut words = options.to_vec();
        words.extend(["-C", from.to_str().unwrap(), "-cf", file.to_str().unwrap(), "."]);
        tool::run("tar", &words);
        lab.arguments = vec![file.to_str().unwrap().to_owned()];
    }
    let one = |l: &mut Lab| tar(l, "one", &["--mtime=@1"], "t.tar");
    vec![
        row_from("content in a tar file", Layer, one, |l| tar(l, "two", &[], "t.tar")),
        row_from("the tar file's compression", Layer, one, |l| tar(l, "one", &["-z"], "t.tar")),
        row_from("the tar file's time", Nothing, one, |l| {
            let file = std::fs::File::open(l.at("t.tar")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
        row_from("the tar file's name", Iso, one, |l| tar(l, "one", &["--mtime=@1"], "u.tar")),
        row_from("the tar file cut short", Fails("is cut short"), one, |l| {
            let file = std::fs::File::options().write(true).open(l.at("t.tar")).unwrap();
            file.set_len(1536).unwrap();
        }),
    ]
}
