//! What an overlay takes of the host: programs with their libraries, archives, the script's inputs.

use super::{Fails, Layer, Nothing, Row, row};

pub(super) fn rows() -> Vec<Row> {
    [programs(), archives(), script()].into_iter().flatten().collect()
}

fn programs() -> Vec<Row> {
    vec![
        row("program", Layer, |l| l.install("prog", "two/prog")),
        row("the program's library", Layer, |l| l.install("libmut.so", "two/libmut.so")),
        row("the library gone", Fails("needs the library `"), |l| l.remove("host/libmut.so")),
        row("program written anew, same bytes", Nothing, |l| l.install("prog", "one/prog")),
        row("program gone", Fails("the program `prog` is not on"), |l| l.remove("host/prog")),
        row("program of that name comes first on PATH", Layer, |l| {
            l.write("first/prog", "#! /bin/sh\necho first\n");
            l.mode("first/prog", 0o755);
            let path =
                format!("{}:{}:/usr/bin:/bin", l.at("first").display(), l.at("host").display());
            l.set("PATH", &path);
        }),
        row("what comes first on PATH can't be run", Nothing, |l| {
            l.write("first/prog", "no program");
            let path =
                format!("{}:{}:/usr/bin:/bin", l.at("first").display(), l.at("host").display());
            l.set("PATH", &path);
        }),
        row("another program", Nothing, |l| l.install("other", "two/prog")),
        row("programs", Layer, |l| {
            l.install("other", "two/prog");
            l.replace("programs = [\"prog\"]\ntrees", "programs = [\"prog\", \"other\"]\ntrees");
        }),
        row("program that was missing", Fails("the program `late` is not on"), |l| {
            l.replace("programs = [\"prog\"]\ntrees", "programs = [\"prog\", \"late\"]\ntrees");
        }),
        row("a directory on PATH that is not there", Nothing, |l| {
            let path = format!("/nowhere:{}:/usr/bin:/bin", l.at("host").display());
            l.set("PATH", &path);
        }),
    ]
}

fn archives() -> Vec<Row> {
    vec![
        row("archive and its digest", Layer, |l| {
            l.archive("new");
            l.manifest(|text| text);
        }),
        row("archive's digest alone", Fails("has the SHA-256"), |l| {
            l.manifest(|text| {
                let at = text.find("sha256 = \"").unwrap() + 10;
                format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..])
            });
        }),
        row("archive gone, its layer stored", Nothing, |l| l.remove("archive/a.tar")),
        row("archive's name", Layer, |l| {
            std::fs::copy(l.at("archive/a.tar"), l.at("archive/b.tar")).unwrap();
            l.replace("name = \"a.tar\"", "name = \"b.tar\"");
        }),
        row("archive's place in a node", Layer, |l| l.replace("to = \"/opt\"", "to = \"/srv\"")),
        row("strip", Layer, |l| {
            l.replace("strip = 1\nonly = [\"bin\", \"doc\"]", "strip = 0");
        }),
        row("only", Layer, |l| l.replace("\"bin\", \"doc\"", "\"bin\"")),
        row("leave_out", Layer, |l| l.replace("/opt/doc", "/opt/other")),
        row("nothing taken", Fails("nothing of"), |l| l.replace("\"bin\", \"doc\"", "\"none\"")),
        row("another directory of archives", Nothing, |l| {
            std::fs::rename(l.at("archive"), l.at("moved")).unwrap();
            l.set("ARCHIVE", l.at("moved").to_str().unwrap());
        }),
        row("archive that nobody names", Nothing, |l| l.write("archive/other.tar", "x")),
    ]
}

fn script() -> Vec<Row> {
    vec![
        row("script", Layer, |l| {
            l.write("ovl/o/build", "#! /bin/sh\nmkdir $1/etc; echo x > $1/etc/made\n");
        }),
        row("another script", Layer, |l| {
            l.write("ovl/o/other", "#! /bin/sh\ntouch $1/x\n");
            l.mode("ovl/o/other", 0o755);
            l.replace("run = \"build\"", "run = \"other\"");
        }),
        row("input's content", Layer, |l| l.write("ovl/o/src/in", "new\n")),
        row("input's mode", Layer, |l| l.mode("ovl/o/src/in", 0o755)),
        row("new input in a directory", Layer, |l| l.write("ovl/o/src/new", "")),
        row("link among the inputs", Layer, |l| l.link("in", "ovl/o/src/link")),
        row("input that is a file", Layer, |l| l.write("ovl/o/single", "other\n")),
        row("input gone", Fails("single"), |l| l.remove("ovl/o/single")),
        row("inputs", Layer, |l| {
            l.write("ovl/o/more", "");
            l.replace("\"src\", \"single\"", "\"src\", \"single\", \"more\"");
        }),
        row("script's variable", Layer, |l| l.set("FLAVOUR", "odd")),
        row("script's variables", Layer, |l| {
            l.replace("variables = [\"FLAVOUR\"]", "variables = [\"FLAVOUR\", \"PART\"]");
        }),
        row("script's programs", Layer, |l| {
            l.install("other", "two/prog");
            l.replace(
                "programs = [\"prog\"]\nvariables",
                "programs = [\"prog\", \"other\"]\nvariables",
            );
        }),
        row("script's program that was missing", Fails("needs the program `late`"), |l| {
            l.replace("programs = [\"prog\"]\nvariables", "programs = [\"late\"]\nvariables");
        }),
        row("library of a script's program", Layer, |l| {
            l.install("libmut.so", "two/libmut.so");
        }),
        row("file that it does not declare", Nothing, |l| l.write("ovl/o/undeclared", "x")),
    ]
}
