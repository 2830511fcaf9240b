//! Boot loaders for a disk: isolinux for a BIOS, systemd-boot for UEFI, both out of Debian packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use xc_iso::{BootEntry, Hybrid, Platform};

use xc_store::tree::{self, Content, Entry, Kind, Tree, TreePath};
use xc_sys::exec::Exec;

/// The packages that have the loaders.
pub const PACKAGES: &[&str] = &["isolinux", "syslinux-common", "systemd-boot-efi"];

/// The kernel's command line: consoles, and what every node's kernel is.
const KERNEL_LINE: &str = "console=tty0 console=ttyS0 quiet cryptomgr.notests no_timer_check";
const ISOLINUX: &str = "boot/isolinux/isolinux.bin";
const EFI_IMAGE: &str = "boot/efi.img";
/// What a disk's root tree has for booting.
pub(super) const FILES: &[&str] = &["boot/isolinux", EFI_IMAGE, "boot/vmlinuz", "boot/initramfs"];
/// What a FAT file system takes besides its files, in KiB, and then some.
const FAT_SPARE: u64 = 1024;
/// Loaders look in `/boot/isolinux`, `/isolinux` and `/` for their configuration.
const ISOLINUX_CONFIGURATION: &str = "SERIAL 0 115200\nDEFAULT xcbuild\nPROMPT 0\nTIMEOUT 0\n\
    LABEL xcbuild\n  LINUX /boot/vmlinuz\n  INITRD /boot/initramfs\n  APPEND ";
const ENTRY: &str = "title xcbuild\nlinux /vmlinuz\ninitrd /initramfs\noptions ";

/// The loaders' files, and what they load.
#[derive(Debug, Clone)]
pub struct Loaders {
    isolinux: Content,
    ldlinux: Content,
    mbr: Vec<u8>,
    efi: Content,
    kernel: PathBuf,
    initramfs: PathBuf,
}

impl Loaders {
    /// Out of the merged tree of [`PACKAGES`].
    ///
    /// # Errors
    /// When a package lacks a file.
    pub fn new(packages: &Tree, kernel: &Path, initramfs: &Path) -> Result<Self> {
        let file = |path: &str| match packages.get(&TreePath::new(path)?).map(|e| &e.kind) {
            Some(Kind::File(content)) => Ok(content.clone()),
            _ => bail!("the packages of the boot loaders have no `{path}`"),
        };
        Ok(Self {
            isolinux: file("usr/lib/ISOLINUX/isolinux.bin")?,
            ldlinux: file("usr/lib/syslinux/modules/bios/ldlinux.c32")?,
            mbr: file("usr/lib/ISOLINUX/isohdpfx.bin")?.read()?,
            efi: file("usr/lib/systemd/boot/efi/systemd-bootx64.efi")?,
            kernel: kernel.to_path_buf(),
            initramfs: initramfs.to_path_buf(),
        })
    }

    /// Puts the loaders' files into a root tree; `work` is a directory for the FAT image.
    pub(super) fn add(&self, root: &mut Tree, work: &Path) -> Result<()> {
        let mut put = |path: &str, content: Content| -> Result<()> {
            root.insert(TreePath::new(path)?, Entry::new(0o644, Kind::File(content)));
            Ok(())
        };
        put(ISOLINUX, self.isolinux.clone())?;
        put("boot/isolinux/ldlinux.c32", self.ldlinux.clone())?;
        let configuration = format!("{ISOLINUX_CONFIGURATION}{KERNEL_LINE}\n");
        put("boot/isolinux/isolinux.cfg", Content::bytes(configuration))?;
        put("boot/vmlinuz", whole(&self.kernel)?)?;
        put("boot/initramfs", whole(&self.initramfs)?)?;
        put(EFI_IMAGE, whole(&self.fat(work)?)?)
    }

    /// Names the loaders to the firmware.
    pub(super) fn make_bootable(&self, image: &mut xc_iso::Image) {
        for (path, platform) in [(ISOLINUX, Platform::Bios), (EFI_IMAGE, Platform::Efi)] {
            let info_table = platform == Platform::Bios;
            image.boot(BootEntry { path: path.into(), platform, load_sectors: None, info_table });
        }
        // Without a GPT, whose second copy would have to be at the end of a disk of any size.
        image.hybrid(Hybrid { mbr: self.mbr.clone(), gpt: false });
    }

    /// A FAT image from which UEFI boots.
    fn fat(&self, work: &Path) -> Result<PathBuf> {
        let parts = work.join("efi");
        fs::create_dir(&parts)?;
        fs::write(parts.join("BOOTX64.EFI"), self.efi.read()?)?;
        fs::write(parts.join("loader.conf"), "timeout 0\ndefault xcbuild.conf\neditor no\n")?;
        fs::write(parts.join("xcbuild.conf"), format!("{ENTRY}{KERNEL_LINE}\n"))?;
        fs::copy(&self.kernel, parts.join("vmlinuz"))?;
        fs::copy(&self.initramfs, parts.join("initramfs"))?;
        let mut bytes = 0;
        for file in fs::read_dir(&parts)? {
            bytes += file?.metadata()?.len();
        }
        let image = work.join("efi.img");
        let size = (bytes.div_ceil(1024) + FAT_SPARE).next_multiple_of(1024);
        fs::File::create(&image)?.set_len(size * 1024)?;
        let mtools = |program: &str, arguments: &[&str]| -> Result<()> {
            let exec = Exec::new(program).arg("-i").arg(&image).args(arguments).cwd(&parts);
            let exec = exec.env("TZ", "UTC").env("SOURCE_DATE_EPOCH", tree::TIMESTAMP.to_string());
            exec.output().context("can't make the FAT image that UEFI boots")?;
            Ok(())
        };
        // The geometry only has to give the size: 32 sectors a track, 64 heads, a MiB a cylinder.
        let tracks = (size / 1024).to_string();
        mtools(
            "mformat",
            &["-t", &tracks, "-h", "64", "-s", "32", "-N", "78627564", "-v", "XCBUILD", "::"],
        )?;
        mtools("mmd", &["::EFI", "::EFI/BOOT", "::loader", "::loader/entries"])?;
        mtools("mcopy", &["BOOTX64.EFI", "::EFI/BOOT"])?;
        mtools("mcopy", &["loader.conf", "::loader"])?;
        mtools("mcopy", &["xcbuild.conf", "::loader/entries"])?;
        mtools("mcopy", &["vmlinuz", "initramfs", "::"])?;
        Ok(image)
    }
}

fn whole(path: &Path) -> Result<Content> {
    Ok(Content::Path { path: path.to_path_buf(), len: fs::metadata(path)?.len() })
}
