//! A console that is typed on, of a node that sends back what it gets.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;

use super::{Bench, LONG, id};
use crate::{console, stop};

/// A disk whose boot sector writes `>` to the first serial port and then sends back what comes in.
fn echo_disk(path: &Path) {
    /// SeaBIOS takes no smaller one for a disk.
    const SIZE: usize = 1 << 20;
    #[rustfmt::skip]
    let code = [
        0xba, 0xf8, 0x03,       // 0:  mov dx, 0x3f8    data
        0xb0, b'>', 0xee,       // 3:  mov al, '>'; out dx, al
        0xba, 0xfd, 0x03,       // 6:  mov dx, 0x3fd    line status
        0xec, 0xa8, 0x01,       // 9:  in al, dx; test al, 1
        0x74, 0xfb,             // 12: jz 9             until a byte is there
        0xba, 0xf8, 0x03,       // 14: mov dx, 0x3f8    data
        0xec, 0xee,             // 17: in al, dx; out dx, al
        0xeb, 0xf1,             // 19: jmp 6
    ];
    let mut disk = vec![0_u8; SIZE];
    disk[..code.len()].copy_from_slice(&code);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(path, disk).unwrap();
}

#[test]
fn console_is_typed_on_and_followed() {
    let mut bench = Bench::new(&[1]);
    let disk = bench.directory.path().join("echo.img");
    echo_disk(&disk);
    bench.params.boot.boot.disks = vec![xc_vm::command::Disk::iso("base", disk)];
    let run = &bench.run();
    bench.started();
    let (input, mut keys) = std::io::pipe().unwrap();
    let followed = std::thread::scope(|scope| {
        let (booted, boots) = std::sync::mpsc::channel();
        let follower = scope.spawn(move || {
            let mut seen = Vec::new();
            let mut output = |bytes: &[u8]| {
                seen.extend(bytes);
                // Nobody listens any more once it has booted.
                let _ = booted.send(seen.clone());
            };
            console::follow(run, id(1), &mut output).unwrap();
            seen
        });
        while boots.recv_timeout(LONG).unwrap() != b">" {}
        let (typed, echoed) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let mut seen = Vec::new();
            console::attach(run, id(1), input.as_fd(), &mut |bytes| {
                seen.extend(bytes);
                let _ = typed.send(seen.clone());
            })
            .unwrap();
        });
        keys.write_all(b"xyzzy").unwrap();
        while !echoed.recv_timeout(LONG).unwrap().ends_with(b"xyzzy") {}
        keys.write_all(&[console::DETACH]).unwrap();
        while echoed.recv().is_ok() {}
        stop(run).unwrap();
        follower.join().unwrap()
    });
    assert!(followed.ends_with(b"xyzzy"), "{followed:?}");
    bench.assert_nothing_left();
}
