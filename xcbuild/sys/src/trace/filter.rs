//! The filter: which calls are stopped, as a program for the kernel.

use std::io;

use libc::{c_long, sock_filter, sock_fprog};

/// `AUDIT_ARCH_X86_64` of linux/audit.h: EM_X86_64, 64 bits, little-endian.
pub(super) const NATIVE: u32 = 0xc000_003e;
/// `__X32_SYSCALL_BIT`: calls of the x32 table.
const X32: u32 = 0x4000_0000;
/// Offsets in `struct seccomp_data`.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const FIRST_ARGUMENT_AT: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// The calls that are stopped, the most frequent first.
const WATCHED: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_execve,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_openat2,
    libc::SYS_creat,
    libc::SYS_execveat,
    libc::SYS_getdents,
    libc::SYS_chdir,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_mknod,
    libc::SYS_mknodat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_rmdir,
    libc::SYS_truncate,
    libc::SYS_connect,
    libc::SYS_uname,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_uselib,
];

/// The filter's program.
pub(super) fn program() -> Vec<sock_filter> {
    let step = |code, k| sock_filter { code, jt: 0, jf: 0, k };
    let jump = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let notify = step(RETURN, libc::SECCOMP_RET_USER_NOTIF);
    let mut program = vec![
        step(LOAD, ARCHITECTURE_AT),
        jump(EQUAL, NATIVE, 1, 0),
        notify,
        step(LOAD, NUMBER_AT),
        jump(AT_LEAST, X32, 0, 1),
        notify,
    ];
    for call in WATCHED {
        program.push(jump(EQUAL, *call as u32, 0, 1));
        program.push(notify);
    }
    // Sockets of this machine's programs are reported when they connect; all others when they are made.
    program.push(jump(EQUAL, libc::SYS_socket as u32, 0, 4));
    program.push(step(LOAD, FIRST_ARGUMENT_AT));
    program.push(jump(EQUAL, libc::AF_UNIX as u32, 0, 1));
    program.push(step(RETURN, libc::SECCOMP_RET_ALLOW));
    program.push(notify);
    program.push(jump(EQUAL, libc::SYS_io_uring_setup as u32, 0, 1));
    program.push(step(RETURN, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32));
    program.push(step(RETURN, libc::SECCOMP_RET_ALLOW));
    program
}

/// Puts the filter on this thread and gives the descriptor that receives the stopped calls.
/// Without the right to do so as it is, the thread gives up gaining rights by set-id programs first.
///
/// Only calls that are safe between fork and exec are made.
///
/// # Errors
/// What the kernel says.
#[allow(unsafe_code)]
pub(super) fn install(program: &[sock_filter]) -> io::Result<i32> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let given = sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let set = || {
        // SAFETY: the kernel reads `given` and the program that it points to, both of which live
        // through the call.
        unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
                &raw const given,
            )
        }
    };
    let mut listener = set();
    if listener < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EACCES) {
        rustix::thread::set_no_new_privs(true)?;
        listener = set();
    }
    if listener < 0 { Err(io::Error::last_os_error()) } else { Ok(listener as i32) }
}

#[cfg(test)]
mod tests {
    use super::{RETURN, program};

    /// Jumps lead into the program, and its end is a return: what the kernel checks, too.
    #[test]
    fn program_is_closed() {
        let program = program();
        for (at, step) in program.iter().enumerate() {
            let furthest = at + 1 + usize::from(step.jt.max(step.jf));
            assert!(step.code == RETURN || furthest < program.len(), "{at}");
        }
        assert_eq!(program.last().unwrap().code, RETURN);
    }
}
