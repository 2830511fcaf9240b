//! What the verbs of namespaces share: whose they are, and which.

use anyhow::{Result, bail};

use crate::settings::HostSettings;
use xc_net::namespace;

/// Who called us, also by way of sudo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user's name.
    pub user: String,
    /// User and group, where sudo changed them.
    pub ids: Option<(u32, u32)>,
}

impl Caller {
    /// The caller that the environment tells of.
    ///
    /// # Errors
    /// When it tells of none, or of a name that can't be a file's.
    pub(crate) fn of(host: &HostSettings) -> Result<Self> {
        let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        let ids = number(&host.sudo_uid).zip(number(&host.sudo_gid));
        let by_sudo = host.sudo_user.as_ref().filter(|_| ids.is_some());
        let named = by_sudo.or(host.user.as_ref()).or(host.login_name.as_ref());
        let own = rustix::process::getuid();
        let user = named.map_or_else(|| own.as_raw().to_string(), ToOwned::to_owned);
        if user.starts_with('.') || user.contains('/') {
            bail!("`{user}` can't be a user's name; set USER");
        }
        Ok(Self { user: if own.is_root() && named.is_none() { "root".into() } else { user }, ids })
    }

    /// The name of the caller's namespace of a number.
    pub(crate) fn namespace(&self, index: u8) -> String {
        namespace::name(&self.user, index)
    }
}

#[cfg(test)]
mod tests {
    use super::Caller;
    use crate::settings::tests::host;

    #[test]
    fn sudo_tells_who_called() {
        let of = |pairs: &[(&str, &str)]| Caller::of(&host(pairs));
        let sudo = [("USER", "root"), ("SUDO_USER", "kim"), ("SUDO_UID", "7"), ("SUDO_GID", "8")];
        let caller = of(&sudo).unwrap();
        assert_eq!((caller.namespace(1).as_str(), caller.ids), ("kim_xcluster1", Some((7, 8))));
        assert_eq!(of(&[("USER", "kim")]).unwrap(), Caller { user: "kim".into(), ids: None });
        assert!(of(&[("USER", "../x")]).is_err());
    }
}
