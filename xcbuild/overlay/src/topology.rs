//! Reading the topology that `TOPOLOGY` names: one of an overlay's, or a file of the user's own.
//!
//! A value with a `/` in it is the path of a file; any other is the name of one in the overlay's
//! directory of topologies.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use fs_err as fs;

use crate::Variables;
use xc_report::suggest::did_you_mean;
use xc_topology::Topology;

/// The topology of that name or path.
///
/// # Errors
/// When there is no such file, or it says what can't be.
pub fn load(directory: &Path, name: &str, variables: &Variables) -> Result<Topology> {
    let (name, path) = find(directory, name)?;
    let text = fs::read_to_string(&path)?;
    // A variable may also be set as overlays' scripts on the nodes know it.
    let value = |variable: &str| {
        let value = variables.get(variable);
        value.or_else(|| variables.get(&format!("xcluster_{variable}"))).map(ToOwned::to_owned)
    };
    Ok(Topology::parse(&path.display().to_string(), &name, &text, &value)?)
}

/// Its short name and its file.
fn find(directory: &Path, name: &str) -> Result<(String, PathBuf)> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return match path.file_stem() {
            Some(stem) if path.is_file() => Ok((stem.to_string_lossy().into_owned(), path)),
            _ => bail!("TOPOLOGY={name}: there is no such file"),
        };
    }
    let path = directory.join(format!("{name}.toml"));
    if path.is_file() { Ok((name.to_owned(), path)) } else { Err(unknown(name, directory)) }
}

fn unknown(name: &str, directory: &Path) -> anyhow::Error {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|e| e.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|n| Some(n.strip_suffix(".toml")?.to_owned())).collect();
    names.sort();
    let near = did_you_mean(name, names.iter().map(String::as_str));
    let list = names.join(", ");
    anyhow!("there is no topology `{name}`{near}\n  TOPOLOGY can be: {list}, or the path of a file")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::load;
    use crate::Variables;

    const ONE: &str = "description = 'one'\n[network.1]\n[variable.LAN]\nkind = 'flag'\n\
        description = 'on'\n[group.vm]\nnodes = 'vm'\nnetworks = [0, 1]\nforward = true\n\
        masquerade = { networks = [1], when = 'LAN' }\nroutes = [{ to = 'default', via = 'host' }]";

    #[test]
    fn topologies_are_found_by_name_and_by_path() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, own) = (dir.path().join("in"), dir.path().join("own.toml"));
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("one.toml"), ONE).unwrap();
        std::fs::write(&own, ONE).unwrap();
        let named = |name: &str| load(&inside, name, &Variables::default());
        assert_eq!(named("one").unwrap().name, "one");
        assert_eq!(named(own.to_str().unwrap()).unwrap().name, "own");
        let error = named("on").unwrap_err().to_string();
        assert!(error.contains("there is no topology `on`; did you mean `one`?"), "{error}");
        assert!(named("./nosuch.toml").unwrap_err().to_string().contains("no such file"));
    }

    #[test]
    fn variables_are_known_by_both_their_names() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("one.toml"), ONE).unwrap();
        for (name, networks) in [("LAN", 1), ("xcluster_LAN", 1), ("OTHER", 0)] {
            let mut variables = Variables::default();
            variables.set(name, "yes");
            let topology = load(Path::new(dir.path()), "one", &variables).unwrap();
            assert_eq!(topology.groups[0].masquerade.len(), networks, "{name}");
        }
    }
}
