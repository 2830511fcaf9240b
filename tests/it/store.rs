//! The store under pressure: full, read-only, without locks, elsewhere, shared, and killed.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use xc_harness::Need;

use crate::common::need::{MOUNTS, succeeds, unshare_mounts};
use crate::common::{Workspace, tool};

/// A workspace with overlays: `plain` with a file of some size, and `slow`, whose script says that it
/// runs and waits for a word, both by named pipes.
fn workspace() -> Workspace {
    let mut workspace = Workspace::fresh();
    let place = workspace.home().join("ovl");
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    write(&workspace, "plain/ovl.toml", "description = 'plain'\n");
    write(&workspace, "plain/default/etc/some", &"some text\n".repeat(200_000));
    let pipes = workspace.home().to_str().unwrap().to_owned();
    let script = format!(
        "#! /bin/sh\necho run >>{pipes}/runs; mkfifo {pipes}/go-$$; echo $$ >{pipes}/began\n\
         read word <{pipes}/go-$$; mkdir $1/etc; echo slow >$1/etc/slow\n"
    );
    write(&workspace, "slow/ovl.toml", "description = 'slow'\n[script]\nrun = 'build'\n");
    write(&workspace, "slow/build", &script);
    let build = place.join("slow/build");
    std::fs::set_permissions(build, PermissionsExt::from_mode(0o755)).unwrap();
    tool::run("mkfifo", &[workspace.home().join("began").to_str().unwrap()]);
    workspace
}

fn write(workspace: &Workspace, path: &str, text: &str) {
    let path = workspace.home().join("ovl").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Waits until a script of `slow` runs, and gives its number.
fn await_script(workspace: &Workspace) -> String {
    let number = std::fs::read_to_string(workspace.home().join("began")).unwrap();
    number.trim().to_owned()
}

/// Lets that script go on.
fn release(workspace: &Workspace, script: &str) {
    std::fs::write(workspace.home().join(format!("go-{script}")), "go\n").unwrap();
}

/// The program in the background, in a process group of its own.
fn start(workspace: &Workspace, arguments: &[&str]) -> (Child, BufReader<ChildStderr>) {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(env!("CARGO_BIN_EXE_xcbuild"));
    command.args(arguments).env_clear().envs(workspace.environment());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    (child, stderr)
}

/// Runs lines of a shell in a mount namespace of its own, `$X` being the program; what it prints. It
/// needs [`MOUNTS`].
fn in_namespace(workspace: &Workspace, lines: &str) -> String {
    let mut command = unshare_mounts();
    command.args(["sh", "-ec", lines]).env_clear().envs(workspace.environment());
    command.env("X", env!("CARGO_BIN_EXE_xcbuild")).env("HOME", workspace.home());
    let done = command.output().unwrap();
    let said =
        [done.stdout, done.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).concat();
    assert!(done.status.success(), "{said}");
    said
}

fn store(workspace: &Workspace) -> PathBuf {
    workspace.home().join("store")
}

#[test(needs = [MOUNTS])]
fn a_full_disk_is_told_and_leaves_nothing_wrong() {
    let workspace = workspace();
    let lines = r#"
        mkdir $XCBUILD_STORE
        mount -t tmpfs -o size=3M none $XCBUILD_STORE
        if $X mkcdrom plain; then exit 9; fi
        $X cache verify
        find $XCBUILD_STORE/tmp -type f
        mount -o remount,size=100M $XCBUILD_STORE
        $X mkcdrom plain
        $X cache verify
    "#;
    let said = in_namespace(&workspace, lines);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains("hint: make room by `xcbuild cache gc"), "{said}");
    assert!(said.contains("Built ISO") && !said.contains("/store/tmp/"), "{said}");
}

/// The disk that the ISO goes to, not that of the store.
#[test(needs = [MOUNTS])]
fn a_full_disk_elsewhere_is_named_and_has_no_half_copy() {
    let workspace = workspace();
    let lines = r#"
        mkdir $HOME/small
        mount -t tmpfs -o size=1M none $HOME/small
        echo old >$HOME/small/x.iso
        if $X mkcdrom --cdrom=$HOME/small/x.iso plain; then exit 9; fi
        ls -A $HOME/small
        cat $HOME/small/x.iso
        if $X iso create $HOME/ovl -o $HOME/small/x.iso; then exit 9; fi
        ls -A $HOME/small
    "#;
    let said = in_namespace(&workspace, lines);
    let hint =
        format!("hint: make room on the disk that has `{}/small`, or", workspace.home().display());
    assert_eq!(said.matches(&hint).count(), 2, "{said}");
    assert!(said.contains("small/x.iso`: ") && !said.contains("cache gc"), "{said}");
    assert!(said.starts_with("x.iso\nold\nx.iso\n"), "{said}");
}

#[test(needs = [MOUNTS])]
fn a_read_only_home_is_told_where_else_the_store_can_be() {
    let workspace = workspace();
    let lines = r#"
        mkdir $HOME/ro
        mount -t tmpfs none $HOME/ro
        mount -o remount,ro $HOME/ro
        unset XCBUILD_STORE
        if HOME=$HOME/ro $X mkcdrom plain; then exit 9; fi
        if HOME=$HOME/ro $X cache size; then exit 9; fi
    "#;
    let said = in_namespace(&workspace, lines);
    assert_eq!(said.matches("name another by XCBUILD_STORE: ").count(), 2, "{said}");
}

#[test(needs = [MOUNTS])]
fn a_read_only_store_gives_what_it_has() {
    let workspace = workspace();
    workspace.ok(&["mkcdrom", "plain"]);
    let lines = r#"
        mount --bind $XCBUILD_STORE $XCBUILD_STORE
        mount -o remount,bind,ro $XCBUILD_STORE
        rm $HOME/xcluster/xcluster/tmp/cdrom.iso
        $X mkcdrom plain
        $X mkcdrom plain
        test -s $HOME/xcluster/xcluster/tmp/cdrom.iso
        if $X mkcdrom slow; then exit 9; fi
        $X cache verify
    "#;
    let said = in_namespace(&workspace, lines);
    assert_eq!(said.matches("Cached ISO").count(), 2, "{said}");
    assert!(
        said.contains("can't write to the store") || said.contains("can't be written"),
        "{said}"
    );
    assert!(said.contains("name another by XCBUILD_STORE"), "{said}");
}

/// Runs a program for which no file can be locked.
fn without_locks(program: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock"]);
    command.args(["-e", "inject=flock:error=ENOLCK", program]);
    command
}

const STRACE: Need = Need::Check(|| succeeds(&mut without_locks("true"), "strace can't trace"));

#[test(needs = [STRACE])]
fn a_store_without_locks_is_used_and_not_collected() {
    let workspace = workspace();
    let run = |arguments: &[&str]| {
        let mut command = without_locks(env!("CARGO_BIN_EXE_xcbuild"));
        let done = command.args(arguments).env_clear().envs(workspace.environment()).output();
        let done = done.unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (succeeded, said) = run(&["mkcdrom", "plain"]);
    assert!(succeeded && said.contains("has no locks") && said.contains("Built ISO"), "{said}");
    let (succeeded, said) = run(&["mkcdrom", "plain"]);
    assert!(succeeded && said.contains("Cached ISO"), "{said}");
    let (succeeded, said) = run(&["cache", "gc", "--max-size=0"]);
    assert!(!succeeded && said.contains("can't tell whether another xcbuild uses"), "{said}");
}

#[test]
fn one_builds_a_key_and_the_others_wait_and_take_it() {
    let workspace = workspace();
    let (mut first, _) = start(&workspace, &["mkcdrom", "slow"]);
    let script = await_script(&workspace);
    let (mut second, said) = start(&workspace, &["mkcdrom", "--cdrom=/dev/null/x", "slow"]);
    let mut lines = said.lines().map(Result::unwrap);
    assert!(
        lines.any(|l| l.contains("Waiting for another xcbuild")),
        "the second says that it waits"
    );
    release(&workspace, &script);
    assert!(first.wait().unwrap().success());
    // Its ISO can't be where it was told to; the layer is what counts here.
    let rest: Vec<String> = lines.collect();
    assert!(!second.wait().unwrap().success(), "{rest:?}");
    let runs = std::fs::read_to_string(workspace.home().join("runs")).unwrap();
    assert_eq!(runs, "run\n", "the script ran once");
    let again = workspace.xcbuild(&["mkcdrom", "slow"]).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("Cached slow"));
}

#[test]
fn who_waits_builds_itself_when_the_builder_is_killed() {
    let workspace = workspace();
    let (mut first, _) = start(&workspace, &["mkcdrom", "slow"]);
    let orphan = await_script(&workspace);
    let (mut second, said) = start(&workspace, &["mkcdrom", "slow"]);
    let mut lines = said.lines().map(Result::unwrap);
    assert!(lines.any(|l| l.contains("Waiting for another xcbuild")));
    first.kill().unwrap();
    first.wait().unwrap();
    let script = await_script(&workspace);
    release(&workspace, &script);
    assert!(second.wait().unwrap().success(), "{:?}", lines.collect::<Vec<_>>());
    // The script of the killed one is ended with it.
    tool::run("timeout", &["60", "tail", "--pid", orphan.trim(), "-f", "/dev/null"]);
    workspace.ok(&["cache", "verify"]);
}

#[test]
fn collection_waits_for_nobody_and_takes_nothing_from_who_builds() {
    let workspace = workspace();
    let (mut builder, _) = start(&workspace, &["mkcdrom", "slow"]);
    let script = await_script(&workspace);
    for arguments in [&["cache", "gc", "--max-size=0"][..], &["cache", "clear"]] {
        let said = workspace.fails(arguments, 1);
        assert!(said.contains("another xcbuild uses the store"), "{said}");
    }
    release(&workspace, &script);
    assert!(builder.wait().unwrap().success());
}

#[test]
fn damage_is_found_put_aside_and_built_again() {
    let workspace = workspace();
    workspace.ok(&["mkcdrom", "plain"]);
    let blobs = |below: &str| -> Vec<PathBuf> {
        let listed =
            tool::run("find", &[store(&workspace).join(below).to_str().unwrap(), "-type", "f"]);
        listed.lines().map(PathBuf::from).collect()
    };
    // As a disk does that goes bad: other bytes, nothing else.
    let big = |p: &PathBuf| std::fs::metadata(p).unwrap().len() > 1_000_000;
    let damaged: Vec<PathBuf> = blobs("cas").into_iter().filter(big).collect();
    assert_eq!(damaged.len(), 2, "layer and ISO");
    for path in &damaged {
        let time = std::fs::metadata(path).unwrap().modified().unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"damage", 100_000).unwrap();
        file.set_modified(time).unwrap();
    }
    let said = workspace.fails(&["cache", "verify"], 1);
    assert_eq!(said.matches("damaged, moved to").count(), 2, "{said}");
    assert_eq!(blobs("quarantine").len(), 2);
    let built = workspace.xcbuild(&["mkcdrom", "--explain", "plain"]).output().unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(said.contains("its result is no longer in the store"), "{said}");
    workspace.ok(&["cache", "verify"]);
}

#[test]
fn a_target_on_another_file_system_gets_a_copy_that_is_kept() {
    use std::os::unix::fs::MetadataExt;
    let workspace = workspace();
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let iso = elsewhere.path().join("cdrom.iso");
    let option = format!("--cdrom={}", iso.display());
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    workspace.ok(&["mkcdrom", &option, "plain"]);
    let first = inode(&iso);
    workspace.ok(&["mkcdrom", &option, "plain"]);
    assert_eq!(inode(&iso), first, "what is right is left alone");
    std::fs::set_permissions(&iso, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::File::options().append(true).open(&iso).unwrap().set_len(100).unwrap();
    workspace.ok(&["mkcdrom", &option, "plain"]);
    let mut bytes = Vec::new();
    std::fs::File::open(&iso).unwrap().read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() > 1_000_000, "what was changed is written anew");
}

/// The short form of what is run for longer by hand, see there.
#[test(slow)]
fn ten_builders_killed_at_random_leave_nothing_wrong() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/chaos-build.sh");
    let mut command = assert_cmd::Command::new(script);
    let done = command.args(["10", "5"]).env("XCBUILD", env!("CARGO_BIN_EXE_xcbuild")).output();
    let done = done.unwrap();
    let said =
        [done.stdout, done.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).concat();
    assert!(done.status.success(), "{said}");
}
