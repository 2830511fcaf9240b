//! A place where one thing can be changed: an overlay `o` with every field of a manifest, what it
//! takes of the host, and a store of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use assert_cmd::Command;

use crate::common::{Workspace, tool};

/// Every field that needs no Debian packages.
pub(super) const MANIFEST: &str = include_str!("manifest.toml");
const TOPOLOGY: &str = "description = 'one'\n[network.1]\n[variable.LAN]\nkind = 'flag'\n\
    description = 'on'\n[group.vm]\nnodes = 'vm'\nnetworks = [0, 1]\nforward = true\n\
    masquerade = { networks = [1], when = 'LAN' }\nroutes = [{ to = 'default', via = 'host' }]\n";
const BUILD: &str = "#! /bin/sh\nmkdir $1/etc\n\
    (cat ${0%/*}/src/in ${0%/*}/single; prog; echo $FLAVOUR) > $1/etc/made\n";

/// What a build said.
#[derive(Debug)]
pub(super) struct Report {
    /// Each layer's overlay, and whether it was in the store.
    pub layers: Vec<(String, bool)>,
    /// Each layer's digest.
    pub digests: Vec<String>,
    /// Whether the ISO was in the store.
    pub cached: bool,
    /// The ISO's digest.
    pub digest: String,
}

/// The place; what it is built with is in its fields.
pub(super) struct Lab {
    /// Home, store, environment.
    pub workspace: Workspace,
    /// Overlays and options.
    pub arguments: Vec<String>,
    /// What runs the program: nothing, or a command that becomes it.
    pub wrapper: Vec<String>,
    /// Where it is run.
    pub directory: PathBuf,
    /// The program.
    pub program: PathBuf,
}

impl Lab {
    /// A place as every row starts from.
    pub(super) fn new() -> Self {
        let mut workspace = Workspace::in_memory();
        let home = workspace.home().to_path_buf();
        for (name, below) in [("XCLUSTER_OVLPATH", "ovl"), ("ARCHIVE", "archive")] {
            workspace.set(name, home.join(below).to_str().unwrap());
        }
        let path = format!("{}:/usr/bin:/bin", home.join("host").display());
        workspace.set("PATH", path);
        let program = PathBuf::from(env!("CARGO_BIN_EXE_xcbuild"));
        let arguments = vec!["o".to_owned()];
        let lab = Self { workspace, arguments, wrapper: vec![], directory: home, program };
        lab.fill();
        lab
    }

    fn fill(&self) {
        self.write("ovl/n/ovl.toml", "description = 'needed'\n");
        self.write("ovl/n/default/etc/needed", "n\n");
        for (path, text) in [
            ("default/etc/x", "x"),
            ("default/etc/parts/1", "1"),
            ("default/etc/parts/2", "2"),
            ("default/bin/run", "#! /bin/sh\n"),
            ("variant/etc/x", "variant"),
            ("part/one/etc/part", "one"),
            ("part/two/etc/part", "two"),
            ("from.in", "from ${FLAVOUR}\n"),
            ("src/in", "in\n"),
            ("single", "single\n"),
            ("build", BUILD),
            ("topologies/xnet.toml", TOPOLOGY),
            ("topologies/other.toml", &TOPOLOGY.replace("'one'", "'other'")),
        ] {
            self.write(&format!("ovl/o/{path}"), text);
        }
        self.mode("ovl/o/default/bin/run", 0o755);
        self.mode("ovl/o/build", 0o755);
        symlink("x", self.at("ovl/o/default/etc/link")).unwrap();
        self.write("host/zone", "zone\n");
        for name in ["prog", "libmut.so"] {
            self.install(name, &format!("one/{name}"));
        }
        self.archive("tool");
        self.manifest(|text| text);
    }

    /// A path of the place.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.workspace.home().join(path)
    }

    /// Writes a file.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes other bytes into a file, as many as it has, and leaves its time as it was.
    pub(super) fn rewrite(&self, path: &str, text: &str) {
        let path = self.at(path);
        let before = fs::metadata(&path).unwrap();
        assert_eq!(before.len(), text.len() as u64, "{}", path.display());
        fs::write(&path, text).unwrap();
        fs::File::open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
    }

    /// Gives a file a time of long ago.
    pub(super) fn age(&self, path: impl AsRef<Path>) {
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        fs::File::open(self.at("").join(path)).unwrap().set_modified(time).unwrap();
    }

    /// Moves the overlays to another place.
    pub(super) fn move_overlays(&mut self) {
        fs::rename(self.at("ovl"), self.at("elsewhere")).unwrap();
        self.set("XCLUSTER_OVLPATH", self.at("elsewhere").to_str().unwrap());
    }

    /// Builds as another user, who has a home of his own.
    pub(super) fn as_nobody(&mut self) {
        // The program may be below a directory that is closed to others.
        let program = self.at("xcbuild");
        fs::copy(&self.program, &program).unwrap();
        tool::run("chmod", &["755", program.to_str().unwrap()]);
        self.program = program;
        let home = self.at("nobody");
        fs::create_dir_all(home.join("xcluster/xcluster/tmp")).unwrap();
        tool::run("chmod", &["-R", "a+rwX", home.to_str().unwrap()]);
        self.set("HOME", home.to_str().unwrap());
        let words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        self.wrapper = words.map(Into::into).into();
    }

    /// Removes a file.
    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.at(path)).unwrap();
    }

    /// Sets a file's permissions.
    pub(super) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Puts a link in place of what was there.
    pub(super) fn link(&self, text: &str, path: &str) {
        let _ = fs::remove_file(self.at(path));
        symlink(text, self.at(path)).unwrap();
    }

    /// Writes the manifest, less or more as it stands.
    pub(super) fn manifest(&self, edit: impl FnOnce(String) -> String) {
        let host = self.at("host");
        let digest = sha256(&self.at("archive/a.tar"));
        let text = MANIFEST.replace("@HOST@", host.to_str().unwrap()).replace("@DIGEST@", &digest);
        self.write("ovl/o/ovl.toml", &edit(text));
    }

    /// Puts one text of the manifest in place of another, which has to be there.
    pub(super) fn replace(&self, from: &str, to: &str) {
        assert!(MANIFEST.contains(from), "{from}");
        self.manifest(|text| text.replace(from, to));
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.workspace.set(name, value);
    }

    /// Builds other overlays, or with options.
    pub(super) fn arguments(&mut self, words: &[&str]) {
        self.arguments = words.iter().map(ToString::to_string).collect();
    }

    /// Puts a compiled file into the host's directory of programs.
    pub(super) fn install(&self, name: &str, from: &str) {
        let to = self.at("host").join(name);
        let _ = fs::remove_file(&to);
        fs::copy(compiled().join(from), to).unwrap();
    }

    /// Makes the archive, with a program of that text in it.
    pub(super) fn archive(&self, text: &str) {
        let tree = self.at("archive-tree");
        let _ = fs::remove_dir_all(&tree);
        for path in ["a-1/bin/tool", "a-1/doc/tool", "a-1/rest/tool"] {
            self.write(&format!("archive-tree/{path}"), text);
        }
        fs::create_dir_all(self.at("archive")).unwrap();
        let (archive, tree) = (self.at("archive/a.tar"), tree.to_str().unwrap().to_owned());
        tool::run("tar", &["--mtime=@1", "-C", &tree, "-cf", archive.to_str().unwrap(), "a-1"]);
    }

    /// Builds the ISO; the error is what the program said.
    pub(super) fn build(&self) -> Result<Report, String> {
        let mut words = self.wrapper.clone();
        words.push(self.program.to_str().unwrap().to_owned());
        words.extend(["mkcdrom".into(), "--json".into()]);
        words.extend(self.arguments.clone());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(self.workspace.environment());
        command.current_dir(&self.directory);
        let done = loop {
            match command.output() {
                // A program that was just copied can't be run while a child of another thread has yet
                // to close the copy that it was forked with.
                Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => continue,
                done => break done.unwrap(),
            }
        };
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let json: serde_json::Value = serde_json::from_slice(&done.stdout).map_err(|_| said)?;
        let layers = json["layers"].as_array().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        Ok(Report {
            layers: layers.iter().map(|l| (text(&l["name"]), l["cached"] == true)).collect(),
            digests: layers.iter().map(|l| text(&l["digest"])).collect(),
            cached: json["cached"] == true,
            digest: text(&json["digest"]),
        })
    }
}

fn sha256(file: &Path) -> String {
    let line = tool::run("sha256sum", &[file.to_str().unwrap()]);
    line.split(' ').next().unwrap().to_owned()
}

/// A program and its library, in two versions each.
fn compiled() -> &'static Path {
    static DONE: OnceLock<tempfile::TempDir> = OnceLock::new();
    DONE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        for version in ["one", "two"] {
            let at = |name: &str| dir.path().join(version).join(name).to_str().unwrap().to_owned();
            fs::create_dir(dir.path().join(version)).unwrap();
            let library = format!("const char *word(void) {{ return \"lib {version}\"; }}\n");
            let program = format!(
                "#include <stdio.h>\nconst char *word(void);\n\
                 int main(void) {{ printf(\"{version} %s\\n\", word()); return 0; }}\n"
            );
            fs::write(at("lib.c"), library).unwrap();
            fs::write(at("prog.c"), program).unwrap();
            let library = at("libmut.so");
            tool::run(
                "cc",
                &["-shared", "-fPIC", "-Wl,-soname,libmut.so", "-o", &library, &at("lib.c")],
            );
            let origin = "-Wl,-rpath,$ORIGIN";
            tool::run("cc", &["-o", &at("prog"), &at("prog.c"), &library, origin]);
        }
        dir
    })
    .path()
}
