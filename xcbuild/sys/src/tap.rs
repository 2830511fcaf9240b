//! Taps: links whose other end is a file descriptor, qemu's.
//!
//! A tap is made persistent, so that it outlasts this process and is there for qemu to open by its
//! name, and it may belong to a user, who can then open it without privileges.
//!
//! Reference: the kernel's `Documentation/networking/tuntap.rst`, `linux/if_tun.h`.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::ioctl::{IntegerSetter, Updater, ioctl};

/// The device that makes taps.
pub const DEVICE: &str = "/dev/net/tun";

/// `_IOW('T', 202, int)`, `_IOW('T', 203, int)`, `_IOW('T', 204, int)`.
const TUNSETIFF: u32 = 0x4004_54ca;
const TUNSETPERSIST: u32 = 0x4004_54cb;
const TUNSETOWNER: u32 = 0x4004_54cc;

/// IFF_TAP, IFF_NO_PI, IFF_VNET_HDR: frames as they are, with virtio's offload header before them.
const FLAGS: u16 = 0x0002 | 0x1000 | 0x4000;

/// IFF_MULTI_QUEUE: whoever opens the tap opens it once for each queue.
const MULTI_QUEUE: u16 = 0x0100;

/// Longest name of a link, less the terminating zero.
const NAME_MAX: usize = 15;

/// `struct ifreq` with its flags.
#[repr(C)]
struct Request {
    name: [u8; NAME_MAX + 1],
    flags: u16,
    rest: [u8; 22],
}

/// Opens the device that makes taps.
///
/// # Errors
/// When it isn't there or may not be opened.
pub fn open() -> io::Result<File> {
    File::options().read(true).write(true).open(Path::new(DEVICE))
}

/// Makes a persistent tap in the calling thread's namespace, down, for a user.
///
/// # Errors
/// When the name is too long or taken, the device can't be opened, or we may not.
#[allow(unsafe_code)]
pub fn add(name: &str, owner: u32, multi_queue: bool) -> io::Result<()> {
    if name.len() > NAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name is too long"));
    }
    let device = open()?;
    let flags = if multi_queue { FLAGS | MULTI_QUEUE } else { FLAGS };
    let mut request = Request { name: [0; NAME_MAX + 1], flags, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF reads and writes a `struct ifreq`, which `Request` is in form and length.
    let set_interface = unsafe { Updater::<{ TUNSETIFF as _ }, Request>::new(&mut request) };
    // SAFETY: the request is of this function, and lives through the call.
    unsafe { ioctl(&device, set_interface) }?;
    // SAFETY: TUNSETOWNER takes a user's number by value.
    let set_owner = unsafe { IntegerSetter::<{ TUNSETOWNER as _ }>::new_usize(owner as usize) };
    // SAFETY: it touches no memory of ours.
    unsafe { ioctl(&device, set_owner) }?;
    // SAFETY: TUNSETPERSIST takes 0 or 1 by value.
    let set_persistent = unsafe { IntegerSetter::<{ TUNSETPERSIST as _ }>::new_usize(1) };
    // SAFETY: it touches no memory of ours.
    Ok(unsafe { ioctl(&device, set_persistent) }?)
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn request_is_as_long_as_the_kernels() {
        assert_eq!(size_of::<Request>(), 40);
    }
}
