//! The base image as a disk: raw or qcow2, of any size, with boot loaders or without.
//!
//! It is the base image's ISO with the disk's own things around it, so that nodes can start from
//! it as from the ISO, and a machine that knows nothing of us can boot it:
//!
//! ```text
//! sector 0     MBR: isolinux's code; partition 2 is the FAT image; partition 3 the room behind
//! 32 KiB       the ISO, volume id xcbase, with /boot/isolinux and /boot/efi.img
//! (MiB border) an ext4 file system, label xcrw, where the size leaves room: nodes write there
//! ```
//!
//! | firmware | way |
//! |---|---|
//! | BIOS | MBR or El Torito → isolinux → kernel and initramfs in the ISO |
//! | UEFI | partition 2 or El Torito → systemd-boot → kernel and initramfs in the FAT image |
//!
//! Nothing of it needs root: the loaders are files of Debian packages, the FAT image is made by
//! mtools, the ext4 by mke2fs. (Not by the crate `fatfs`: it would spare only those who make such a
//! disk one host tool, and the tests need it anyway, to read what is written.)

mod loaders;
mod probe;
pub mod qcow2;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;

pub use loaders::{Loaders, PACKAGES};
pub use probe::{Format, ImageInfo, probe};

use super::base::VOLUME_ID;
use xc_store::tree::{self, Blob, Tree, TreePath};
use xc_sys::exec::Exec;
use xc_sys::files::Writing;

/// The label of the file system that nodes write to.
pub const DATA_LABEL: &str = "xcrw";
/// Partitions begin at whole mebibytes.
const ALIGNMENT: u64 = 1 << 20;
/// The least room that makes a file system worth while, in bytes.
const ROOM_MIN: u64 = 16 << 20;
/// Sectors, as partition tables count them.
const SECTOR: u64 = 512;
/// Where the table of partitions stands in the MBR.
const PARTITIONS: u64 = 446;
const ACTIVE: u8 = 0x80;
const IMAGE: u8 = 0x17;
const LINUX: u8 = 0x83;

/// A disk that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Its format.
    pub format: Format,
    /// Its size in bytes; without one, as the content needs.
    pub size: Option<u64>,
}

/// Writes a root tree as a disk, in place of what is at the path. `loaders` make it boot by itself;
/// `work` is a directory for what is made on the way, on a file system with room.
///
/// # Errors
/// A size that is too small; programs that are missing; what the disk says.
pub fn write(
    root: Tree,
    loaders: Option<&Loaders>,
    spec: Spec,
    work: &Path,
    to: &Path,
) -> Result<()> {
    let raw = work.join("disk.raw");
    let mut root = root;
    // Those of a disk that is written again.
    loaders::FILES
        .iter()
        .try_for_each(|path| TreePath::new(path).map(|path| root.remove(&path)))?;
    let mut image = xc_iso::Image::new(xc_iso::Options {
        volume_id: VOLUME_ID.into(),
        timestamp: tree::TIMESTAMP.cast_signed(),
        ..xc_iso::Options::default()
    });
    if let Some(loaders) = loaders {
        loaders.add(&mut root, work)?;
        loaders.make_bootable(&mut image);
    }
    tree::add_to_iso(&root, &mut image, &TreePath::root())?;
    let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&raw)?;
    let file = file.into_parts().0;
    image.write_to_file(&file)?;
    if let Some(size) = spec.size {
        grow(&file, &raw, size)?;
    }
    let done = match spec.format {
        Format::Raw => raw,
        Format::Qcow2 => {
            let done = work.join("disk.qcow2");
            let mut out = fs::File::create(&done)?.into_parts().0;
            qcow2::write(&file, &mut out)?;
            done
        }
    };
    put(&done, to)
}

/// Gives a disk its size, and the room behind the ISO a file system.
fn grow(file: &File, path: &Path, size: u64) -> Result<()> {
    let content = file.metadata()?.len();
    if size < content {
        bail!("--size={size}: the image needs {content} bytes at least");
    }
    file.set_len(size.next_multiple_of(SECTOR))?;
    let start = content.next_multiple_of(ALIGNMENT);
    let end = size / ALIGNMENT * ALIGNMENT;
    if end < start + ROOM_MIN {
        return Ok(());
    }
    // As isohybrid has it: a node mounts the image as that, which leaves the rest of the disk free.
    file.write_all_at(&partition(IMAGE, 0, content)?, PARTITIONS)?;
    file.write_all_at(&partition(LINUX, start, end - start)?, PARTITIONS + 2 * 16)?;
    file.write_all_at(&[0x55, 0xaa], SECTOR - 2)?;
    make_file_system(path, start, end - start)
}

/// An entry of the MBR's table.
fn partition(kind: u8, start: u64, length: u64) -> Result<[u8; 16]> {
    let number = |n: u64| u32::try_from(n / SECTOR).context("--size: more than 2 TiB");
    let mut entry = [0; 16];
    entry[0] = if kind == IMAGE { ACTIVE } else { 0 };
    // Cylinder, head and sector: what lies beyond them has the numbers that follow.
    entry[1..8].copy_from_slice(&[0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff]);
    entry[8..12].copy_from_slice(&number(start)?.to_le_bytes());
    entry[12..].copy_from_slice(&number(length)?.to_le_bytes());
    Ok(entry)
}

fn make_file_system(disk: &Path, start: u64, length: u64) -> Result<()> {
    // One disk is like the other: a fixed id, and a fixed time.
    let id = "7863726f-6f74-4000-8000-786362756c64";
    let extended = format!("offset={start},hash_seed={id},lazy_itable_init=1,nodiscard");
    Exec::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-L", DATA_LABEL, "-U", id, "-E", &extended])
        .arg(disk)
        .arg(format!("{}k", length / 1024))
        .env("E2FSPROGS_FAKE_TIME", tree::TIMESTAMP.to_string())
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .context("can't make the file system that nodes write to")?;
    Ok(())
}

/// Puts a finished file in its place, in one step.
fn put(done: &Path, to: &Path) -> Result<()> {
    let directory = xc_sys::files::parent(to);
    fs::create_dir_all(directory)?;
    let writing = || Writing(to.to_path_buf());
    let temporary = tempfile::Builder::new().prefix(".tmp-").tempfile_in(directory)?;
    if fs::rename(done, temporary.path()).is_err() {
        fs::copy(done, temporary.path()).with_context(writing)?;
    }
    fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    temporary.persist(to).with_context(writing)?;
    Ok(())
}

/// The root tree of a base image, whatever its format; a raw copy is made in `work` where needed.
///
/// # Errors
/// When it is none of ours, or can't be read.
pub fn root(image: &Path, seen: ImageInfo, work: &Path) -> Result<Tree> {
    if !seen.base {
        bail!(
            "`{}` is not a base image of xcbuild's; `xcbuild mkimage` makes one",
            image.display()
        );
    }
    let raw: PathBuf = match seen.format {
        Format::Raw => image.to_path_buf(),
        Format::Qcow2 => {
            let raw = work.join("content.raw");
            let disk = qcow2::Qcow2::open(fs::File::open(image)?.into_parts().0)?;
            qcow2::to_raw(&disk, fs::File::create(&raw)?.file_mut())?;
            raw
        }
    };
    tree::from_iso(&Blob::open(&raw)?)
}
