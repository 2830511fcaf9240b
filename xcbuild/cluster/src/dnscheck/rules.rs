//! Tables of packet rules, looked at by nft.

use super::Step;
use crate::check::Verdict;
use xc_sys::exec::Exec;

/// Where nft is; the `PATH` of a user often lacks it.
const PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// Whether a table of ours is there and masquerades.
pub(super) fn table_step(step: &str, table: &str, netns_prefix: &[String]) -> Step {
    let nft = ["nft", "list", "table", "inet", table].map(ToOwned::to_owned);
    let words = [netns_prefix, &nft].concat();
    let done = words
        .split_first()
        .map(|(program, args)| Exec::new(program).env("PATH", PATH).args(args).complete());
    let (verdict, seen) = match done {
        Some(Ok((status, output))) if status.success() => {
            let rules = String::from_utf8_lossy(&output.stdout).into_owned();
            match rules.contains("masquerade") {
                true => (Verdict::Ok, format!("table inet {table} masquerades")),
                false => (Verdict::Failed, format!("table inet {table} does not masquerade")),
            }
        }
        Some(Ok((_, output))) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if why.contains("not permitted") {
                (Verdict::Skipped, "only root may look at the rules".into())
            } else {
                let why = why.lines().next().unwrap_or_default();
                (Verdict::Failed, format!("there is no table inet {table}: {why}"))
            }
        }
        Some(Err(e)) => (Verdict::Skipped, e.to_string()),
        None => (Verdict::Skipped, "nothing to run".into()),
    };
    Step { step: step.into(), verdict, seen, remedy: None }
}
