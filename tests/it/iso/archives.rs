//! Tars of other tools as the input of `iso create`: GNU tar's reading is the measure.

use std::fs;
use std::path::Path;

use super::workspace_with_file;
use crate::common::tool;

/// A pipe that breaks leaves the old image; so does a file that was cut.
#[test]
fn tars_that_were_cut_make_no_image() {
    let (workspace, at) = workspace_with_file();
    fs::write(at("in/second"), vec![b'x'; 700]).unwrap();
    tool::run("tar", &["-C", &at("in"), "-cf", &at("full.tar"), "--sort=name", "."]);
    let full = fs::read(at("full.tar")).unwrap();
    let end = full.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(512) + 1;
    let end = end / 512 * 512;
    let image = at("x.iso");
    fs::write(&image, "old").unwrap();
    // Nothing, in a header, between members, in a content, in padding, between the last and the end.
    for cut in [0, 100, 512, 1024, end - 600, end - 1, end, end + 100] {
        let part = full[..cut].to_vec();
        fs::write(at("cut.tar"), &part).unwrap();
        let from_file = workspace.fails(&["iso", "create", &at("cut.tar"), "-o", &image], 1);
        let mut piped = workspace.xcbuild(&["iso", "create", "-o", &image, "-"]);
        let piped = piped.write_stdin(part).assert().code(1);
        let from_pipe = String::from_utf8_lossy(&piped.get_output().stderr).into_owned();
        for stderr in [from_file, from_pipe] {
            let expected = if cut == 100 { "it is not a tar" } else { "the tar is cut short" };
            assert!(stderr.contains(expected), "{cut} of {}: {stderr}", full.len());
        }
        assert_eq!(fs::read(&image).unwrap(), b"old", "{cut}");
    }
    // One block of zeros is an end, as for GNU tar.
    for whole in [end + 512, end + 1024, full.len()] {
        fs::write(at("whole.tar"), &full[..whole]).unwrap();
        workspace.ok(&["iso", "create", &at("whole.tar"), "-o", &image]);
    }
    assert_eq!(workspace.ok(&["iso", "ls", &image]), "dir\ndir/file\nsecond\n");
}

/// What comes out of the image of a tar is what GNU tar unpacks.
fn comes_out_as_unpacked(
    tar: &str,
    at: &impl Fn(&str) -> String,
    workspace: &crate::common::Workspace,
) {
    let (image, ours, theirs) = (at("x.iso"), at("ours"), at("theirs"));
    for directory in [&ours, &theirs] {
        drop(fs::remove_dir_all(directory));
        fs::create_dir(directory).unwrap();
    }
    workspace.ok(&["iso", "create", tar, "-o", &image]);
    assert_eq!(workspace.ok(&["iso", "verify", &image]), "");
    workspace.ok(&["iso", "extract", &image, "-C", &ours]);
    tool::run("tar", &["--no-same-owner", "-C", &theirs, "-xf", tar]);
    assert_eq!(tool::run("diff", &["-r", "-x", "pipe", "--no-dereference", &theirs, &ours]), "");
    let list = |directory: &str| {
        // GNU tar leaves times of directories as they come.
        let script = "cd \"$0\" && find . -mindepth 1 -type d -printf '%p %y %n\\n' -o -printf '%p %y %l %n %Ts\\n' | sort";
        tool::run("sh", &["-c", script, directory])
    };
    assert_eq!(list(&ours), list(&theirs));
}

#[test]
fn sparse_members_are_read_in_every_form() {
    let (workspace, at) = workspace_with_file();
    let holes = fs::File::create(at("in/holes")).unwrap();
    for number in [3_u64, 5, 11] {
        std::os::unix::fs::FileExt::write_all_at(&holes, b"piece", number << 20).unwrap();
    }
    holes.set_len(20 << 20).unwrap();
    drop(holes);
    let (input, tar) = (at("in"), at("x.tar"));
    let gnu = |format: &'static str| ["tar", "--sparse", format];
    for form in [gnu("--format=gnu"), gnu("--format=posix"), ["bsdtar", "--format", "pax"]] {
        tool::run(form[0], &[&form[1..], &["-C", &input, "-cf", &tar, "."]].concat());
        comes_out_as_unpacked(&tar, &at, &workspace);
        let image = workspace.xcbuild(&["iso", "create", &tar, "-o", "-"]).assert().success();
        assert!(image.get_output().stdout == fs::read(at("x.iso")).unwrap(), "{form:?}");
    }
}

#[test]
fn links_to_links_and_names_that_come_twice_are_as_unpacked() {
    let (workspace, at) = workspace_with_file();
    let script = "cd \"$0\" && mkdir a b c && ln -s to a/link && ln a/link a/zwo && mkfifo a/pipe
        mkdir a/empty && echo one >a/twice && ln a/twice a/hard && ln -s nowhere a/grows
        mkdir b/grows b/twice && echo two >b/empty && echo y >b/grows/file && echo z >c/hard
        for d in a b c; do tar -C $d -rf x.tar $(ls $d); done";
    tool::run("sh", &["-c", script, &at("in")]);
    comes_out_as_unpacked(&at("in/x.tar"), &at, &workspace);
    assert_eq!(fs::read_to_string(at("ours/hard")).unwrap(), "z\n");
    assert!(Path::new(&at("ours/grows/file")).exists());
}

/// As real crates have them.
#[test]
fn empty_owners_and_times_are_zero() {
    let (workspace, at) = workspace_with_file();
    let mut archive = tar::Builder::new(fs::File::create(at("blank.tar")).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_path("file").unwrap();
    header.set_size(0);
    header.set_mode(0o644);
    let old = header.as_old_mut();
    (old.uid, old.gid, old.mtime) = ([b' '; 8], [0; 8], [0; 12]);
    header.set_cksum();
    archive.append(&header, std::io::empty()).unwrap();
    archive.finish().unwrap();
    workspace.ok(&["iso", "create", &at("blank.tar"), "-o", &at("x.iso")]);
    let list = workspace.ok(&["iso", "ls", "-l", &at("x.iso"), "file"]);
    assert_eq!(list.split_whitespace().collect::<Vec<_>>()[2..6], ["0", "0", "0", "0"], "{list}");
}
