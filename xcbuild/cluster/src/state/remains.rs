//! What there is to end of a cluster, by a state of whatever version.
//!
//! A state of another version is refused everywhere but here: `stop` has to be able to end what
//! another xcbuild has started. So only what every version has is read, and what can't be read is
//! left out: processes are found by their command lines as well.

use fs_err as fs;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::boot_id;
use crate::RunDir;
use crate::network::Network;
use xc_vm::process::ProcessId;

/// The name of the field that has a process, in nodes and helpers alike.
const PROCESS: &str = "process";

/// What a saved state, of this version or another, tells of what was made.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// Who has the lock while it is taken.
    pub(crate) owner: Option<ProcessId>,
    /// The processes; none if the machine has booted since.
    pub(crate) processes: Vec<ProcessId>,
    /// What carried the networks, if that may still be there.
    pub(crate) network: Option<Network>,
}

impl Remains {
    /// Reads what can be read; nothing from a state that is damaged or not there.
    pub(crate) fn read(run: &RunDir) -> Self {
        let bytes = fs::read(run.state_file()).unwrap_or_default();
        let Ok(state) = serde_json::from_slice::<Value>(&bytes) else { return Self::default() };
        let owner = field(&state, "owner");
        // What was made in another boot of the machine has gone with it.
        if !boot_id().is_ok_and(|now| state["boot_id"] == now) {
            return Self { owner, ..Self::default() };
        }
        let mut processes = Vec::new();
        collect(&state, &mut processes);
        Self { owner, processes, network: field(&state, "network") }
    }
}

fn field<T: DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    T::deserialize(value.get(name)?).ok()
}

/// All processes that are recorded somewhere in a value.
fn collect(value: &Value, processes: &mut Vec<ProcessId>) {
    processes.extend(field::<ProcessId>(value, PROCESS));
    match value {
        Value::Object(fields) => fields.values().for_each(|value| collect(value, processes)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, processes)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xc_report::Reporter;

    use super::super::boot_id;
    use super::Remains;
    use crate::RunDir;
    use crate::network::Network;

    #[test]
    fn what_other_versions_made_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        run.create().unwrap();
        let process = |pid: u32| json!({ "pid": pid, "start": 7 });
        let mut state = json!({
            "format": 99,
            "boot_id": boot_id().unwrap(),
            "owner": process(10),
            "network": { "kind": "user" },
            "dns": { "process": process(11), "odd": [1] },
            "later": [{ "process": process(12) }, { "process": null }],
            "nodes": { "1": { "process": process(13) } },
        });
        let read = |state: &serde_json::Value| {
            std::fs::write(run.state_file(), state.to_string()).unwrap();
            Remains::read(&run)
        };
        let remains = read(&state);
        let mut pids: Vec<_> = remains.processes.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [11, 12, 13]);
        assert_eq!(remains.owner.unwrap().pid, 10);
        assert_eq!(remains.network, Some(Network::default()));

        state["network"] = json!({ "kind": "of the future" });
        assert_eq!(read(&state).network, None);
        state["boot_id"] = "another".into();
        let remains = read(&state);
        assert!(remains.processes.is_empty() && remains.owner.is_some());
        std::fs::write(run.state_file(), "{").unwrap();
        assert!(Remains::read(&run).processes.is_empty());
    }
}
