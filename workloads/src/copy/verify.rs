//! Compares a copy with its source.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::Error;

/// Bytes compared at once.
const CHUNK: usize = 1 << 20;

/// Blocks (of 512 bytes) that a copy of a sparse file may have more than the source: rounding of extents at holes.
const SLACK: u64 = 2048;

/// Compares contents, size and mode, and with `sparse` the space taken. The inner error is the difference.
///
/// # Errors
///
/// [`Error::Io`] where one of them cannot be read.
pub fn compare(source: &Path, copy: &Path, sparse: bool) -> Result<Result<(), String>, Error> {
    let mut files = [open(source)?, open(copy)?];
    let stat = |file: &File, path| file.metadata().map_err(Error::io("stat", path));
    let (from, to) = (stat(&files[0], source)?, stat(&files[1], copy)?);
    if from.mode() != to.mode() {
        return Ok(Err(format!(
            "the mode is {:o} and not {:o}",
            to.mode(),
            from.mode()
        )));
    }
    // A file of /proc has contents but no size.
    if from.len() != to.len() && from.len() > 0 {
        return Ok(Err(format!(
            "the size is {} and not {}",
            to.len(),
            from.len()
        )));
    }
    if sparse && to.blocks() > from.blocks() + SLACK && from.len() > 0 {
        return Ok(Err(format!(
            "it takes {} blocks and not {}: holes were filled",
            to.blocks(),
            from.blocks()
        )));
    }
    let (mut one, mut other) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut offset = 0;
    loop {
        let [first, second] = &mut files;
        let have = read_full(first, &mut one).map_err(Error::io("read", source))?;
        let got = read_full(second, &mut other).map_err(Error::io("read", copy))?;
        if one[..have] != other[..got] {
            let equal = one[..have]
                .iter()
                .zip(&other[..got])
                .take_while(|(a, b)| a == b)
                .count();
            return Ok(Err(format!(
                "the byte at offset {} differs",
                offset + equal
            )));
        }
        if have == 0 {
            return Ok(Ok(()));
        }
        offset += have;
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(Error::io("open", path))
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read(&mut buffer[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}
