//! Rock Ridge (RRIP, IEEE P1282 draft 1.12): Unix attributes in the system use field of directory
//! records, by the System Use Sharing Protocol (SUSP, IEEE P1281 draft 1.12).
//!
//! | field | holds | where |
//! |---|---|---|
//! | SP, ER | that SUSP and RRIP are in use | "." of the root |
//! | CE | where the fields go on that don't fit | any record |
//! | PX | mode, links, owner, group, inode number | every record |
//! | TF | times of modification, access and status change, all the same | every record |
//! | NM | the name, in parts of 250 bytes | every record but "." and ".." |
//! | SL | the target of a link, by components | symbolic links |
//! | PN | device numbers | devices |
//! | CL, PL, RE | relocated directories | see [`crate::primary`] |
//!
//! [`fields`] writes fields one after another, [`area`] deals them out between the record and the
//! directory's continuation area.

pub(crate) mod area;
pub(crate) mod fields;
