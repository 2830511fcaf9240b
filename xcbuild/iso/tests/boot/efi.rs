//! A FAT file system with a program for UEFI that greets, made by hand so that the test needs no
//! tools for it.

/// What the program prints.
pub(crate) const GREETING: &str = "booted by UEFI";

const SECTOR: usize = 512;
const TOTAL: u16 = 2880;
const FAT: usize = 9;
/// Where clusters, of a sector each, start: after boot sector, two FATs and the root directory.
const DATA: usize = 1 + 2 * FAT + 14;

/// A FAT12 file system of 1.44 MB with `EFI/BOOT/BOOTX64.EFI`.
pub(crate) fn file_system() -> Vec<u8> {
    const EFI: u16 = 2;
    const BOOT: u16 = 3;
    const PROGRAM: u16 = 4;
    let program = program();
    let mut disk = boot_sector();
    disk.resize(usize::from(TOTAL) * SECTOR, 0);
    let clusters = program.len().div_ceil(SECTOR) as u16;
    let last = PROGRAM + clusters - 1;
    let mut fat = vec![0xff0, 0xfff, 0xfff, 0xfff];
    fat.extend((PROGRAM..last).map(|cluster| cluster + 1));
    fat.push(0xfff);
    let mut put = |sector: usize, bytes: &[u8]| {
        disk[sector * SECTOR..][..bytes.len()].copy_from_slice(bytes);
    };
    put(1, &fat12(&fat));
    put(1 + FAT, &fat12(&fat));
    put(1 + 2 * FAT, &entry(b"EFI        ", true, EFI, 0));
    let dots =
        |own, above| [entry(b".          ", true, own, 0), entry(b"..         ", true, above, 0)];
    let directory =
        |own, above, inside: [u8; 32]| [dots(own, above).concat(), inside.to_vec()].concat();
    put(DATA, &directory(EFI, 0, entry(b"BOOT       ", true, BOOT, 0)));
    let file = entry(b"BOOTX64 EFI", false, PROGRAM, program.len() as u32);
    put(DATA + 1, &directory(BOOT, EFI, file));
    put(DATA + 2, &program);
    disk
}

fn boot_sector() -> Vec<u8> {
    let mut sector = vec![0xeb, 0x3c, 0x90];
    sector.extend_from_slice(b"xc-iso  ");
    sector.extend_from_slice(&(SECTOR as u16).to_le_bytes());
    sector.extend_from_slice(&[1, 1, 0, 2]); // sectors a cluster, reserved ones, FATs
    sector.extend_from_slice(&224_u16.to_le_bytes()); // entries of the root
    sector.extend_from_slice(&TOTAL.to_le_bytes());
    sector.push(0xf0);
    sector.extend_from_slice(&(FAT as u16).to_le_bytes());
    sector.extend_from_slice(&[18, 0, 2, 0]); // sectors a track, heads
    sector.resize(38, 0);
    sector.push(0x29);
    sector.extend_from_slice(&[1, 2, 3, 4]);
    sector.extend_from_slice(b"EFI        FAT12   ");
    sector.resize(510, 0);
    sector.extend_from_slice(&[0x55, 0xaa]);
    sector
}

/// Entries of 12 bits, two in three bytes.
fn fat12(entries: &[u16]) -> Vec<u8> {
    let pair = |pair: &[u16]| {
        let [a, b] = [pair[0], pair.get(1).copied().unwrap_or(0)];
        [a as u8, (a >> 8 | b << 4) as u8, (b >> 4) as u8]
    };
    entries.chunks(2).flat_map(pair).collect()
}

fn entry(name: &[u8; 11], directory: bool, cluster: u16, size: u32) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..11].copy_from_slice(name);
    entry[11] = if directory { 0x10 } else { 0x20 };
    entry[26..28].copy_from_slice(&cluster.to_le_bytes());
    entry[28..].copy_from_slice(&size.to_le_bytes());
    entry
}

/// A PE32+ program of one section that prints the greeting and stays.
fn program() -> Vec<u8> {
    const HEADERS: u32 = 0x200;
    const CODE: u32 = 0x1000;
    let code = code();
    let mut out = b"MZ".to_vec();
    out.resize(0x3c, 0);
    out.extend_from_slice(&0x40_u32.to_le_bytes());
    out.extend_from_slice(b"PE\0\0");
    let word =
        |out: &mut Vec<u8>, words: &[u16]| words.iter().for_each(|w| out.extend(w.to_le_bytes()));
    let long =
        |out: &mut Vec<u8>, longs: &[u32]| longs.iter().for_each(|l| out.extend(l.to_le_bytes()));
    word(&mut out, &[0x8664, 1]); // x86-64, one section
    long(&mut out, &[0, 0, 0]);
    word(&mut out, &[0x70, 0x22e]); // size of what follows; an executable
    word(&mut out, &[0x20b, 0]); // PE32+
    long(&mut out, &[0x200, 0, 0, CODE, CODE]); // code, entry point
    long(&mut out, &[0, 0]); // image base
    long(&mut out, &[0x1000, 0x200]); // alignments
    word(&mut out, &[0, 0, 0, 0, 0, 0]); // versions
    long(&mut out, &[0, 0x2000, HEADERS, 0]); // sizes of image and headers
    word(&mut out, &[10, 0]); // an EFI application
    long(&mut out, &[0; 8]); // stack and heap
    long(&mut out, &[0, 0]); // no directories
    out.extend_from_slice(b".text\0\0\0");
    long(&mut out, &[0x200, CODE, 0x200, HEADERS, 0, 0, 0, 0x6000_0020]);
    out.resize(HEADERS as usize, 0);
    out.extend(code);
    out.resize(HEADERS as usize + 0x200, 0);
    out
}

/// Calls ConOut->OutputString(ConOut, greeting) of the system table in rdx, then loops.
fn code() -> Vec<u8> {
    let mut code = vec![0x48, 0x83, 0xec, 0x28]; // sub rsp, 40
    code.extend([0x48, 0x8b, 0x4a, 0x40]); // mov rcx, [rdx + 64]
    code.extend([0x48, 0x8d, 0x15, 5, 0, 0, 0]); // lea rdx, [rip + 5]
    code.extend([0xff, 0x51, 0x08]); // call [rcx + 8]
    code.extend([0xeb, 0xfe]); // jmp itself
    let greeting = format!("{GREETING}\r\n\0");
    code.extend(greeting.encode_utf16().flat_map(u16::to_le_bytes));
    code
}
