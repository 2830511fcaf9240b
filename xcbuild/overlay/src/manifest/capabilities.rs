//! File capabilities as texts (`cap_from_text(3)`), into the bytes that the kernel takes
//! (`linux/capability.h`, `VFS_CAP_REVISION_2`).

use xc_report::suggest::did_you_mean;

/// All capabilities, by their numbers.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];
const REVISION: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;

/// Sets of capabilities, a bit each.
#[derive(Default)]
struct Sets {
    effective: u64,
    permitted: u64,
    inheritable: u64,
}

/// The attribute's bytes for a text such as `cap_net_raw,cap_net_admin+ep`.
///
/// # Errors
/// What is wrong with the text, for the user.
pub(super) fn from_text(text: &str) -> Result<Vec<u8>, String> {
    let mut sets = Sets::default();
    for clause in text.split_whitespace() {
        apply(clause, &mut sets)?;
    }
    let Sets { effective, permitted, inheritable } = sets;
    if permitted | inheritable == 0 {
        return Err(format!("`{text}` gives no capability: write it as \"cap_net_raw+ep\""));
    }
    // A file has one bit for all of them.
    if effective != 0 && effective != permitted | inheritable {
        return Err(format!("`{text}`: `e` has to be given to all capabilities or to none"));
    }
    let flags = REVISION | if effective != 0 { EFFECTIVE } else { 0 };
    let halves = [0, 32].map(|shift| [permitted >> shift, inheritable >> shift]);
    let words = std::iter::once(flags).chain(halves.into_iter().flatten().map(|half| half as u32));
    Ok(words.flat_map(u32::to_le_bytes).collect())
}

/// Names, and what is done with them: `=`, `+` or `-` and letters of sets, once or more.
fn apply(clause: &str, sets: &mut Sets) -> Result<(), String> {
    let bad = || format!("`{clause}` gives no capabilities: write them as \"cap_net_raw+ep\"");
    let start = clause.find(['=', '+', '-']).ok_or_else(bad)?;
    let (names, mut actions) = clause.split_at(start);
    let named = names_of(names)?;
    while let Some(action) = actions.chars().next() {
        let letters = actions[1..].split(['=', '+', '-']).next().unwrap_or_default();
        actions = &actions[1 + letters.len()..];
        if action == '=' {
            [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable]
                .into_iter()
                .for_each(|set| *set &= !named);
        }
        for letter in letters.chars() {
            let set = match letter {
                'e' => &mut sets.effective,
                'p' => &mut sets.permitted,
                'i' => &mut sets.inheritable,
                _ => return Err(bad()),
            };
            *set = if action == '-' { *set & !named } else { *set | named };
        }
    }
    Ok(())
}

fn names_of(names: &str) -> Result<u64, String> {
    if matches!(names, "" | "all") {
        return Ok((1 << NAMES.len()) - 1);
    }
    names.split(',').try_fold(0, |named, name| {
        let lower = name.to_ascii_lowercase();
        let bare = lower.strip_prefix("cap_");
        let number = bare.and_then(|bare| NAMES.iter().position(|known| *known == bare));
        number.map(|number| named | 1 << number).ok_or_else(|| {
            let known = NAMES.map(|known| format!("cap_{known}"));
            let close = did_you_mean(&lower, known.iter().map(String::as_str));
            format!("`{name}` is not a capability{close}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::from_text;

    /// The bytes are those that `setcap` writes.
    #[test]
    fn texts_become_what_setcap_writes() {
        let hex = |text: &str| {
            let bytes = from_text(text).unwrap();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let raw_and_admin = "0100000200300000000000000000000000000000";
        for text in [
            "cap_net_raw,cap_net_admin+ep",
            "cap_net_admin,cap_net_raw=pe",
            "CAP_NET_RAW=p cap_net_admin=p cap_net_raw,cap_net_admin+e",
            "cap_net_raw,cap_net_admin,cap_kill=ep cap_kill-ep",
            "cap_net_raw,cap_net_admin=i+ep-i",
        ] {
            assert_eq!(hex(text), raw_and_admin, "{text}");
        }
        assert_eq!(hex("cap_bpf=i"), "0000000200000000000000000000000080000000");
        assert_eq!(hex("all=p"), "00000002ffffffff00000000ff01000000000000");
    }

    #[test]
    fn what_gives_nothing_is_refused() {
        for (text, expected) in [
            ("", "gives no capability"),
            ("cap_net_raw", "gives no capabilities"),
            ("cap_net_raw+x", "gives no capabilities"),
            ("cap_net_rw+ep", "is not a capability; did you mean `cap_net_raw`?"),
            ("net_raw+ep", "is not a capability"),
            ("cap_kill+ep cap_net_raw+p", "has to be given to all"),
            ("cap_kill+e-e", "gives no capability"),
        ] {
            let e = from_text(text).unwrap_err();
            assert!(e.contains(expected), "{text}: {e}");
        }
    }
}
