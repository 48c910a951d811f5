//! The kernel out of a vmlinuz: to unpack itself takes an emulated machine seconds.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Offsets in the header of Documentation/arch/x86/boot.rst.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;

/// By their first bytes, what the payload may be compressed with, and what undoes it.
const COMPRESSIONS: [(&[u8], &[&str]); 4] = [
    (b"\x02\x21\x4c\x18", &["lz4", "-dc"]),
    (b"\xfd7zXZ\0", &["xz", "-dc", "--single-stream"]),
    (b"\x28\xb5\x2f\xfd", &["zstd", "-dc"]),
    (b"\x1f\x8b", &["gzip", "-dc"]),
];

/// Writes the ELF file that a bzImage carries.
pub fn extract(image: &Path, vmlinux: &Path) -> Result<()> {
    let bytes = fs::read(image).map_err(Error::file("read", image))?;
    let wrong = |why: &str| Error::malformed(image.display().to_string(), why);
    let payload = payload(&bytes).ok_or_else(|| wrong("it is no bzImage"))?;
    let (_, program) = COMPRESSIONS
        .iter()
        .find(|(magic, _)| payload.starts_with(magic))
        .ok_or_else(|| wrong("its compression is not known"))?;
    let elf = pipe(program, payload)?;
    if !elf.starts_with(b"\x7fELF") {
        return Err(wrong("there is no ELF file in it"));
    }
    fs::write(vmlinux, elf).map_err(Error::file("write", vmlinux))
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| {
        let bytes = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let setup = match *image.get(SETUP_SECTORS)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let begin = (setup + 1) * SECTOR + number(PAYLOAD_OFFSET)?;
    image.get(begin..begin + number(PAYLOAD_LENGTH)?)
}

/// What a program makes of bytes. The payload is followed by its size, which is no part of it, and the program may
/// say so by its status: what comes out is looked at instead.
fn pipe(program: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let [name, arguments @ ..] = program else {
        return Ok(Vec::new());
    };
    let started = |source| Error::Start {
        command: program.join(" "),
        source,
    };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(started)?;
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may have read all it wants.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        child.wait_with_output()
    })
    .map(|output| output.stdout)
    .map_err(started)
}
