//! Extended attributes that a tree keeps: file capabilities, access lists, and what users set.
//!
//! Kept are the names below, with the values that the kernel takes. Labels of the host's security
//! modules (SELinux, IMA), what other systems keep and `trusted.` say something of the machine where
//! the tree was made and nothing of a node; they are not taken.

use std::collections::BTreeMap;

use super::acl;

/// Names and values of a file's extended attributes.
pub type Attributes = BTreeMap<Vec<u8>, Vec<u8>>;

/// The attribute of file capabilities.
pub const CAPABILITY: &[u8] = b"security.capability";
/// The access list of a file.
pub const ACCESS_ACL: &[u8] = b"system.posix_acl_access";
/// The access list that a directory gives to what is made in it.
pub const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";

/// How tars name an attribute: GNU tar, star and bsdtar agree on that.
const SCHILY: &[u8] = b"SCHILY.xattr.";
/// Access lists as texts, with records of their own.
const ACLS: [(&[u8], &[u8]); 2] =
    [(b"SCHILY.acl.access", ACCESS_ACL), (b"SCHILY.acl.default", DEFAULT_ACL)];

/// Whether a tree keeps an attribute of that name.
pub fn is_kept(name: &[u8]) -> bool {
    [CAPABILITY, ACCESS_ACL, DEFAULT_ACL].contains(&name) || name.starts_with(b"user.")
}

/// The attributes that records of pax give, and the names of those that can't be kept though a
/// node would have a use for them.
pub(super) fn of_records<'a>(
    records: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> (Attributes, Vec<Vec<u8>>) {
    let (mut kept, mut lost) = (Attributes::new(), Vec::new());
    for (key, value) in records {
        if let Some(name) = key.strip_prefix(SCHILY) {
            if is_kept(name) {
                kept.insert(name.to_vec(), value.to_vec());
            }
        } else if let Some((_, name)) = ACLS.iter().find(|(record, _)| *record == key) {
            match acl::from_text(value) {
                // The list that every file has by its mode.
                Some(acl) if acl::is_mode(&acl) && *name == ACCESS_ACL => {}
                Some(acl) => drop(kept.insert(name.to_vec(), acl)),
                None => lost.push(name.to_vec()),
            }
        }
    }
    (kept, lost)
}

/// The records of pax that say the same, in order.
pub(super) fn to_records(attributes: &Attributes) -> Vec<(Vec<u8>, Vec<u8>)> {
    let record = |(name, value): (&Vec<u8>, &Vec<u8>)| {
        let text = ACLS.iter().find(|(_, acl)| acl == name);
        match text.and_then(|(key, _)| Some((key.to_vec(), acl::to_text(value)?))) {
            Some(record) => record,
            None => ([SCHILY, name].concat(), value.clone()),
        }
    };
    attributes.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::{ACCESS_ACL, CAPABILITY, of_records, to_records};

    #[test]
    fn records_become_attributes_and_back() {
        let given: [(&[u8], &[u8]); 5] = [
            (b"path", b"x"),
            (b"SCHILY.xattr.security.capability", b"\x01\0\n="),
            (b"SCHILY.xattr.security.selinux", b"label"),
            (b"SCHILY.acl.access", b"user::rw-,user:1001:r--,group::r--,mask::r--,other::---"),
            (b"SCHILY.acl.default", b"user::rw-,user:lisa:r--,group::r--,mask::r--,other::---"),
        ];
        let (kept, lost) = of_records(given.into_iter());
        assert_eq!(kept.keys().collect::<Vec<_>>(), [CAPABILITY, ACCESS_ACL]);
        assert_eq!(lost, [b"system.posix_acl_default"]);
        let records = to_records(&kept);
        assert_eq!(records[0].1, b"\x01\0\n=");
        let again = records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
        assert_eq!(of_records(again).0, kept);
    }
}
