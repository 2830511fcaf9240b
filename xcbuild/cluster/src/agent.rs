//! What a node says of itself, on its agent port: a line each, kept in a file.
//!
//! | line | meaning |
//! |---|---|
//! | `hello` | it begins to boot; what was said before is of a former boot |
//! | `services` | only services are left to start, which may wait for other nodes |
//! | `warning WHAT` | a start script failed, and the node comes up all the same |
//! | `ready NAME` | it is up |
//! | `failed WHAT` | it won't be |

use std::path::Path;

use super::host::NodeHost;

/// What a node has said so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Agent {
    /// Nothing, or only that it has begun to boot.
    #[default]
    Silent,
    /// That it is ready.
    Ready,
    /// That something failed.
    Failed(String),
}

impl Agent {
    /// Takes the node's next line; one that is not known is of a later kind of node and no matter.
    pub(super) fn apply_line(&mut self, line: &str) {
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        match word {
            "hello" => *self = Self::Silent,
            // The later scripts are run even so: what failed stays the news until the next boot.
            "ready" if matches!(self, Self::Failed(_)) => {}
            "ready" => *self = Self::Ready,
            "failed" => *self = Self::Failed(rest.into()),
            _ => {}
        }
    }

    /// Whether a line tells that only services are left to start, which may wait for other nodes.
    pub(super) fn starts_services(line: &str) -> bool {
        line.trim_end() == "services"
    }

    /// What a line tells that went wrong in a node which comes up all the same.
    pub(super) fn warning(line: &str) -> Option<&str> {
        line.trim_end().strip_prefix("warning ")
    }

    /// What a node has said in all, by its agent file; one that is not there says nothing.
    pub(super) fn read(host: &dyn NodeHost, path: &Path) -> Self {
        let text = host.read(path, 0);
        let mut agent = Self::default();
        String::from_utf8_lossy(&text).lines().for_each(|line| agent.apply_line(line));
        agent
    }
}

/// How often a node has booted since its qemu was started, but for the first time.
pub(super) fn reboots(host: &dyn NodeHost, agent_log: &Path) -> u32 {
    // Not as UTF-8: a node may say anything, and what it said before and after still counts.
    let said = host.read(agent_log, 0);
    let boots =
        said.split(|b| *b == b'\n').filter(|line| line.trim_ascii_end() == b"hello").count();
    u32::try_from(boots.saturating_sub(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Agent, reboots};
    use crate::host::local;

    #[test]
    fn agent_is_what_the_last_boot_said() {
        let rows = [
            ("", Agent::Silent),
            ("hello\n", Agent::Silent),
            ("hello\nready vm-001\n", Agent::Ready),
            ("hello\r\nready vm-001\r\n", Agent::Ready),
            ("hello\nready vm-001\nhello\n", Agent::Silent),
            ("hello\nfailed 10net.rc: no eth0\n", Agent::Failed("10net.rc: no eth0".into())),
            ("hello\nfailed x\nready vm-001\n", Agent::Failed("x".into())),
            ("failed x\nhello\nready vm-001\n", Agent::Ready),
            ("hello\nload 3\nreadily\n", Agent::Silent),
            ("hello\nservices\n", Agent::Silent),
            ("hello\nwarning 50x.rc ended with status 1\nready vm-001\n", Agent::Ready),
        ];
        for (text, expected) in rows {
            let mut agent = Agent::default();
            text.lines().for_each(|line| agent.apply_line(line));
            assert_eq!(agent, expected, "{text:?}");
        }
    }

    #[test]
    fn restarts_are_counted_whatever_a_node_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = b"hello\r\nwarning \xff\xfe\nready vm\nhello\nhello";
        std::fs::write(file.path(), said).unwrap();
        assert_eq!(reboots(&*local(), file.path()), 2);
        assert_eq!(reboots(&*local(), "/nonexistent".as_ref()), 0);
    }
}
