//! What must not count: times, orders on disk, places, users, umask, locale, time zone, threads.

use super::lab::Lab;
use super::{Nothing, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("nothing", Nothing, |_| ()),
        row("times of all files", Nothing, |l| {
            walk(l).iter().for_each(|path| l.age(path));
        }),
        row("all files made anew, in another order", Nothing, |l| {
            let mut files = walk(l);
            files.reverse();
            let read =
                |path| (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap(), path);
            let contents: Vec<_> = files.into_iter().map(read).collect();
            contents.iter().for_each(|(_, _, path)| std::fs::remove_file(path).unwrap());
            for (bytes, metadata, path) in contents {
                std::fs::write(&path, bytes).unwrap();
                std::fs::set_permissions(&path, metadata.permissions()).unwrap();
            }
        }),
        row("place of the checkout", Nothing, Lab::move_overlays),
        row("permissions of group and others", Nothing, |l| {
            for path in walk(l) {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o700;
                std::fs::set_permissions(&path, PermissionsExt::from_mode(mode | 0o066)).unwrap();
            }
        }),
        row("working directory", Nothing, |l| l.directory = "/".into()),
        row("home", Nothing, |l| {
            l.set("XCLUSTER_WORKSPACE", l.at("xcluster").to_str().unwrap());
            l.set("HOME", "/nowhere");
        }),
        row("workspace", Nothing, |l| {
            l.set("XCLUSTER_WORKSPACE", l.at("other").to_str().unwrap());
        }),
        row("temporary directory", Nothing, |l| {
            l.set("XCLUSTER_TMP", l.at("other-tmp").to_str().unwrap());
            l.set("TMPDIR", "/var/tmp");
        }),
        row("name of the user", Nothing, |l| {
            l.set("USER", "somebody");
            l.set("LOGNAME", "somebody");
        }),
        row("locale", Nothing, |l| l.set("LC_ALL", "sv_SE.UTF-8")),
        row("language", Nothing, |l| l.set("LANG", "tr_TR.UTF-8")),
        row("time zone", Nothing, |l| l.set("TZ", "Asia/Kathmandu")),
        row("terminal", Nothing, |l| l.set("TERM", "dumb")),
        row("kernel's settings", Nothing, |l| l.set("__append", "quiet")),
        row("memory of nodes", Nothing, |l| l.set("__mem", "512")),
        row("one thread", Nothing, |l| l.arguments(&["-j1", "o"])),
        row("sixteen threads", Nothing, |l| l.arguments(&["-j16", "o"])),
        row("threads by the environment", Nothing, |l| l.set("__jobs", "3")),
        row("a trace", Nothing, |l| {
            let option = format!("--trace-to={}", l.at("trace").display());
            l.arguments(&[&option, "o"]);
        }),
        row("explained", Nothing, |l| l.arguments(&["--explain", "o"])),
        row("umask", Nothing, |l| wrapped(l, &["sh", "-c", "umask 077; exec \"$@\"", "sh"])),
        row("lower priority", Nothing, |l| wrapped(l, &["nice"])),
        row("user", Nothing, as_nobody).for_root(),
    ]
}

/// All files of the overlays.
fn walk(lab: &Lab) -> Vec<std::path::PathBuf> {
    let listed = crate::common::tool::run("find", &[lab.at("ovl").to_str().unwrap(), "-type", "f"]);
    listed.lines().map(Into::into).collect()
}

fn wrapped(lab: &mut Lab, words: &[&str]) {
    lab.wrapper = words.iter().map(ToString::to_string).collect();
}

/// Builds as another user, who may write to all that there is.
pub(super) fn as_nobody(lab: &mut Lab) {
    lab.as_nobody();
    let home = lab.workspace.home().to_str().unwrap();
    crate::common::tool::run("chmod", &["-R", "a+rwX", home]);
}
