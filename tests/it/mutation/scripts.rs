//! The table of `tar` scripts: what is traced, and what is not. The script is written as public ones
//! are, from the contract alone.

use std::fs;

use xc_harness::Case;

use super::lab::Lab;
use super::{Layer, Nothing, Row, cases, row_from};
use crate::common::tool;

/// Most of what public scripts do.
const SCRIPT: &str = r#"#! /bin/sh
prg=$(basename $0)
dir=$(dirname $0); dir=$(readlink -f $dir)
tmp=/tmp/$USER/xcluster_$$
die() {
    echo "ERROR: $*" >&2
    rm -rf $tmp
    exit 1
}
mkdir -p $tmp/etc
cp -R $dir/default/* $tmp || die "no default"
for n in $(echo $SETUP | tr , ' '); do
    test -d $dir/$n && cp -R $dir/$n/* $tmp
done
. $dir/lib.sh
test -n "$__nvm" && echo "nvm=$__nvm" > $tmp/etc/nvm
prog > $tmp/etc/prog || die prog
which late > /dev/null 2>&1 && late > $tmp/etc/late
test -r $ARCHIVE/script.tar && tar -C $tmp -xf $ARCHIVE/script.tar
cat $dir/link > $tmp/etc/linked
test -x $dir/flag && touch $tmp/etc/flag
echo $(ls $dir/parts) > $tmp/etc/parts
test -e $dir/no/such/file && touch $tmp/etc/such
$XCLUSTER install_prog --dest=$tmp ls
$($XCLUSTER ovld other)/tar - | tar -C $tmp -x || die other
cd $tmp
if test "$1" = "-"; then
    tar -c *
else
    tar -cf "$1" *
fi
rm -rf $tmp
"#;
const OTHER: &str = "#! /bin/sh\ncd $(dirname $0)/default\ntar -cf \"$1\" *\n";
/// A script that copies a program of the lab, whose libraries are the lab's.
const COPIES: &str = "#! /bin/sh\n$XCLUSTER install_prog --dest=$TMPDIR/x prog 2>/dev/null\n\
    cd $TMPDIR/x && tar -cf $1 bin\n";
/// A script of which nobody can say which variables it reads.
const READS_ALL: &str = "#! /bin/sh\ncd $TMPDIR; env | grep ^xcluster_ | sort > vars\n\
    tar -cf $1 vars\n";
/// A script whose result shows where it is.
const SHOWS_PLACE: &str = "#! /bin/sh\necho $0 > $TMPDIR/x; cd $TMPDIR; tar -cf $1 x\n";
const PYTHON: &str = "#! /usr/bin/env python3\nimport os, sys, tarfile\n\
    d = os.path.dirname(os.path.abspath(sys.argv[0]))\n\
    with tarfile.open(sys.argv[1], 'w') as t: t.add(d + '/default', arcname='.')\n";
/// A static program reads the file: a preloaded library would not see it.
const STATIC: &str = "#! /bin/sh\nd=$(dirname $0)\nbusybox cp $d/default/etc/x $TMPDIR/x\n\
    cd $TMPDIR; tar -cf $1 x\n";
const COMPILES: &str = "#! /bin/sh\nd=$(dirname $0)\ncc -o $TMPDIR/x $d/x.c || exit 1\n\
    cd $TMPDIR; tar -cf $1 x\n";

/// A lab with the overlay `s`, and `other` which it calls.
fn scripts(lab: &mut Lab) {
    for (path, text) in [
        ("ovl/s/tar", SCRIPT),
        ("ovl/s/default/etc/x", "x"),
        ("ovl/s/variant/etc/x", "variant"),
        ("ovl/s/lib.sh", "test -n \"$LATE\" || LATE=no\n"),
        ("ovl/s/target", "target"),
        ("ovl/s/other-target", "target"),
        ("ovl/s/flag", ""),
        ("ovl/s/parts/1", ""),
        ("ovl/other/tar", OTHER),
        ("ovl/other/default/etc/other", "other"),
    ] {
        lab.write(path, text);
    }
    lab.link("target", "ovl/s/link");
    lab.mode("ovl/s/tar", 0o755);
    lab.mode("ovl/other/tar", 0o755);
    // Of all labs' own: another user can't write to it.
    let user = lab.workspace.home().file_name().unwrap().to_str().unwrap().to_owned();
    lab.set("USER", &user);
    // Overlays and programs are not in it: what is in a home counts by its place there.
    fs::create_dir(lab.at("home")).unwrap();
    lab.set("HOME", lab.at("home").to_str().unwrap());
    lab.arguments(&["s"]);
}

fn with_script(lab: &mut Lab, text: &str) {
    scripts(lab);
    lab.write("ovl/s/tar", text);
}

fn row(what: &'static str, expect: super::Expect, change: fn(&mut Lab)) -> Row {
    row_from(what, expect, scripts, change)
}

fn executable(lab: &Lab, path: &str, text: &str) {
    lab.write(path, text);
    lab.mode(path, 0o755);
}

/// What counts.
fn inputs() -> Vec<Row> {
    vec![
        row("content", Layer, |l| l.write("ovl/s/default/etc/x", "y")),
        row("content of the same length and times", Layer, |l| {
            l.rewrite("ovl/s/default/etc/x", "z");
        }),
        row("mode", Layer, |l| l.mode("ovl/s/default/etc/x", 0o600)),
        row("mode that is only asked for", Layer, |l| l.mode("ovl/s/flag", 0o755)),
        row("file in a directory that is copied", Layer, |l| l.write("ovl/s/default/etc/new", "")),
        row("file in a directory that is listed", Layer, |l| l.write("ovl/s/parts/2", "")),
        row("file gone", Layer, |l| l.remove("ovl/s/parts/1")),
        row("directory in place of a file", Layer, |l| {
            l.remove("ovl/s/parts/1");
            fs::create_dir(l.at("ovl/s/parts/1")).unwrap();
        }),
        row("link's target", Layer, |l| l.link("other-target", "ovl/s/link")),
        row("content behind a link", Layer, |l| l.write("ovl/s/target", "new")),
        row("file in place of a link", Layer, |l| {
            l.remove("ovl/s/link");
            l.write("ovl/s/link", "target");
        }),
        row("what was looked for and missing", Layer, |l| l.write("ovl/s/no/such/file", "")),
        row("script", Layer, |l| l.write("ovl/s/tar", &SCRIPT.replace("nvm=", "n="))),
        row("what it sources", Layer, |l| l.write("ovl/s/lib.sh", "LATE=yes\n")),
        row("variable", Layer, |l| l.set("__nvm", "7")),
        row("variants", Layer, |l| l.set("SETUP", "variant")),
        row("variable named by what it sources", Layer, |l| {
            l.write("ovl/s/lib.sh", "echo $xcluster_A >/dev/null\n");
            l.build().unwrap();
            l.set("xcluster_A", "1");
        }),
        row("program of the host", Layer, |l| l.install("prog", "two/prog")),
        row("the program's library", Layer, |l| l.install("libmut.so", "two/libmut.so")),
        row("program that was missing", Layer, |l| executable(l, "host/late", "#! /bin/sh\n")),
        row("program before another on PATH", Layer, |l| {
            executable(l, "first/prog", "#! /bin/sh\necho first\n");
            let path =
                format!("{}:{}:/usr/bin:/bin", l.at("first").display(), l.at("host").display());
            l.set("PATH", &path);
        }),
        row("archive that was missing", Layer, |l| {
            l.archive("tool");
            fs::rename(l.at("archive/a.tar"), l.at("archive/script.tar")).unwrap();
        }),
        row("another overlay's script", Layer, |l| {
            executable(l, "ovl/other/tar", &OTHER.replace("\n", "\n\n"));
        }),
        row("another overlay's file", Layer, |l| l.write("ovl/other/default/etc/other", "new")),
        row("another overlay, found before", Layer, |l| {
            executable(l, "before/other/tar", OTHER);
            l.write("before/other/default/etc/other", "before");
            let path = format!("{}:{}", l.at("before").display(), l.at("ovl").display());
            l.set("XCLUSTER_OVLPATH", &path);
        }),
        row("libraries of the base image", Layer, |l| {
            l.write("home/xcluster/xcluster/base-libs.txt", "/lib/x86_64-linux-gnu/libc.so.6\n");
        }),
    ]
}

/// What counts in scripts of other kinds.
fn kinds() -> Vec<Row> {
    let prepare_copies: fn(&mut Lab) = |l| with_script(l, COPIES);
    let prepare_all: fn(&mut Lab) = |l| with_script(l, READS_ALL);
    let prepare_python: fn(&mut Lab) = |l| with_script(l, PYTHON);
    let prepare_static: fn(&mut Lab) = |l| with_script(l, STATIC);
    let prepare_compiles: fn(&mut Lab) = |l| {
        with_script(l, COMPILES);
        l.write("ovl/s/x.c", "#include \"x.h\"\nint main(void) { return X; }\n");
        l.write("ovl/s/x.h", "#define X 0\n");
    };
    vec![
        row_from("a helper's program", Layer, prepare_copies, |l| l.install("prog", "two/prog")),
        row_from("a helper's library", Layer, prepare_copies, |l| {
            l.install("libmut.so", "two/libmut.so");
        }),
        row_from("a helper's library gone", Layer, prepare_copies, |l| l.remove("host/libmut.so")),
        row_from("any variable, if all are read", Layer, prepare_all, |l| l.set("xcluster_B", "1")),
        row_from("python: content", Layer, prepare_python, |l| l.write("ovl/s/default/etc/x", "y")),
        row_from("python: nothing", Nothing, prepare_python, |_| ()),
        row_from("python: variable", Nothing, prepare_python, |l| l.set("KERNELDIR", "/x")),
        row_from("static program: content", Layer, prepare_static, |l| {
            l.write("ovl/s/default/etc/x", "y");
        }),
        row_from("static program: nothing", Nothing, prepare_static, |_| ()),
        row_from("compiler: header", Layer, prepare_compiles, |l| {
            l.write("ovl/s/x.h", "#define X 1\n");
        }),
        row_from("compiler: nothing", Nothing, prepare_compiles, |_| ()),
        row_from("place that shows", Layer, |l| with_script(l, SHOWS_PLACE), Lab::move_overlays),
    ]
}

/// What must not count.
fn outside() -> Vec<Row> {
    vec![
        row("nothing", Nothing, |_| ()),
        row("times", Nothing, |l| {
            for path in ["default/etc/x", "tar", "lib.sh", "target", "parts/1"] {
                l.age(format!("ovl/s/{path}"));
            }
        }),
        row("files made anew", Nothing, |l| {
            let copy = l.at("copy");
            tool::run("cp", &["-R", l.at("ovl").to_str().unwrap(), copy.to_str().unwrap()]);
            fs::remove_dir_all(l.at("ovl")).unwrap();
            fs::rename(copy, l.at("ovl")).unwrap();
        }),
        row("place of the checkout", Nothing, Lab::move_overlays),
        row("checkout behind a link", Nothing, |l| {
            fs::rename(l.at("ovl"), l.at("elsewhere")).unwrap();
            l.link("elsewhere", "ovl");
        }),
        row("given by its path", Nothing, |l| {
            let path = l.at("ovl/s").to_str().unwrap().to_owned();
            l.arguments(&[&path]);
        }),
        row("working directory", Nothing, |l| l.directory = "/".into()),
        row("home", Nothing, |l| {
            fs::create_dir(l.at("home2")).unwrap();
            l.set("HOME", l.at("home2").to_str().unwrap());
        }),
        row("workspace", Nothing, |l| {
            l.set("XCLUSTER_WORKSPACE", l.at("other").to_str().unwrap());
        }),
        row("directory of archives", Nothing, |l| {
            fs::rename(l.at("archive"), l.at("moved")).unwrap();
            l.set("ARCHIVE", l.at("moved").to_str().unwrap());
        }),
        row("temporary directory", Nothing, |l| {
            l.set("XCLUSTER_TMP", l.at("tmp").to_str().unwrap());
            l.set("TMPDIR", "/var/tmp");
        }),
        row("name of the user", Nothing, |l| l.set("USER", "somebody")),
        row("locale", Nothing, |l| l.set("LC_ALL", "sv_SE.UTF-8")),
        row("time zone", Nothing, |l| l.set("TZ", "Asia/Kathmandu")),
        row("terminal", Nothing, |l| l.set("TERM", "dumb")),
        row("variable that no text names", Nothing, |l| l.set("xcluster_TZ", "UTC")),
        row("memory of nodes", Nothing, |l| l.set("__mem", "512")),
        row("one thread", Nothing, |l| l.arguments(&["-j1", "s"])),
        row("time-out", Nothing, |l| l.arguments(&["--script-timeout=100", "s"])),
        row("umask", Nothing, |l| {
            l.wrapper = ["sh", "-c", "umask 077; exec \"$@\"", "sh"].map(Into::into).into();
        }),
        row("file that nobody reads", Nothing, |l| l.write("ovl/s/README.md", "x")),
        row("variant that nobody chose", Nothing, |l| l.write("ovl/s/variant/etc/x", "new")),
        row("another program of the host", Nothing, |l| executable(l, "host/another", "x")),
        row("archive that nobody reads", Nothing, |l| l.write("archive/other", "x")),
        row("program at another place", Nothing, |l| {
            let program = l.at("bin/xcbuild");
            fs::create_dir(l.at("bin")).unwrap();
            fs::copy(&l.program, &program).unwrap();
            l.program = program;
        }),
        row("back and forth between two settings", Nothing, |l| {
            l.set("__nvm", "7");
            l.build().unwrap();
            l.set("__nvm", "");
        }),
        row("user", Nothing, as_nobody).for_root(),
    ]
}

/// Builds as another user, who may write to the store and to a home of his own; the overlays stay as
/// they are.
fn as_nobody(lab: &mut Lab) {
    lab.as_nobody();
    lab.mode(".", 0o755);
    tool::run("chmod", &["-R", "a+rwX", lab.at("store").to_str().unwrap()]);
    lab.set("USER", "nobody");
}

#[tests]
fn scripts_are_run_again_for_what_counts_and_for_nothing_else() -> Vec<Case> {
    let tables = [("inputs", inputs()), ("kinds", kinds()), ("outside", outside())];
    tables.into_iter().flat_map(|(table, rows)| cases(table, rows)).collect()
}
