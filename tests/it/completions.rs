//! Completion of commands, options and overlays, asked by the shells themselves.

use xc_harness::Need;

use crate::common::Workspace;

/// A workspace with an overlay of its own beside those that we carry.
fn workspace() -> Workspace {
    let mut workspace = Workspace::fresh();
    let place = workspace.home().join("ovl");
    std::fs::create_dir_all(place.join("mine-own")).unwrap();
    std::fs::write(place.join("mine-own/ovl.toml"), "description = 'of mine'\n").unwrap();
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    workspace
}

/// What a shell prints for lines in which `$X` is the program.
fn shell(workspace: &Workspace, words: &[&str]) -> String {
    let mut command = assert_cmd::Command::new(words[0]);
    command.args(&words[1..]).env_clear().envs(workspace.environment());
    let path = std::path::Path::new(env!("CARGO_BIN_EXE_xcbuild"));
    let done = command.env("X", path).env("TERM", "dumb").output().unwrap();
    let said = [done.stdout, done.stderr].map(|o| String::from_utf8_lossy(&o).into_owned());
    said.concat()
}

#[test(needs = [Need::Program("bash")])]
fn bash_completes_overlays_commands_and_options() {
    let workspace = workspace();
    let ask = |words: &str, current: &str| {
        let lines = format!(
            "eval \"$(\"$X\" completions bash)\"; COMP_WORDS=({words} {current:?}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9; \
             _clap_complete_xcbuild xcbuild {current:?} x 2>/dev/null; echo \"${{COMPREPLY[@]}}\""
        );
        shell(&workspace, &["bash", "--norc", "-c", &lines]).trim().to_owned()
    };
    assert_eq!(ask("xcbuild mkcdrom", "mine"), "mine-own");
    assert_eq!(ask("xcbuild mkcdrom mine-own", "network"), "network-topology");
    assert_eq!(ask("xcbuild ovl show", "ipt"), "iptools");
    assert_eq!(ask("xcbuild", "mkcd"), "mkcdrom");
    assert_eq!(ask("xcbuild mkcdrom", "--exp"), "--explain");
    assert_eq!(ask("xcbuild mkcdrom", "nothing-of-that-name"), "");
}

#[test(needs = [Need::Program("fish")])]
fn fish_completes_overlays() {
    let lines = "$X completions fish | source; complete -C 'xcbuild mkcdrom mine'";
    let said = shell(&workspace(), &["fish", "--no-config", "-c", lines]);
    assert!(said.contains("mine-own") && said.contains("of mine"), "{said}");
}

#[test(needs = [Need::Program("zsh")])]
fn zsh_completes_overlays() {
    // `_describe` is what the function hands its answers to.
    let lines = "compdef() { :; }; eval \"$($X completions zsh)\"; \
        _describe() { shift 2; print -rl -- ${(P)1}; }; \
        words=(xcbuild mkcdrom mine); CURRENT=3; _clap_dynamic_completer_xcbuild";
    let said = shell(&workspace(), &["zsh", "-f", "-c", lines]);
    assert!(said.contains("mine-own:of mine"), "{said}");
}
