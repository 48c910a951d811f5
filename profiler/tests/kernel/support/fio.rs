//! fio(1) as the reader whose own figures those of a report are set against.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    Report,
    device::{Loop, written_file},
    folder, profile,
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

pub const FILE: u64 = 8 * MIB;
pub const READS: u64 = FILE / (4 * KIB);

/// A run of fio, and what it says of itself.
pub struct Fio {
    pub report: Report,
    pub operations: u64,
    pub bytes: u64,
}

/// Profiles fio with random reads of 4 KiB of a whole file, each once.
pub fn fio(file: &Path, options: &[&str]) -> Fio {
    fio_by(file, options, |command| profile(&[], &command))
}

/// The same with what makes the report of its command.
pub fn fio_by(file: &Path, options: &[&str], profile: impl FnOnce(Vec<OsString>) -> Report) -> Fio {
    let folder = folder();
    let output = folder.path().join("fio.json");
    let words: Vec<OsString> = [
        "fio",
        "--name=reads",
        "--rw=randread",
        "--bs=4k",
        "--thread=0",
        "--output-format=json",
    ]
    .iter()
    .chain(options)
    .map(OsString::from)
    .chain([with("--filename=", file), with("--output=", &output)])
    .collect();
    let report = profile(words);
    let said: Value = serde_json::from_slice(&fs::read(&output).expect("fio has written"))
        .expect("fio writes JSON");
    let read = &said["jobs"][0]["read"];
    let number = |key: &str| read[key].as_u64().expect("a count");
    Fio {
        report,
        operations: number("total_ios"),
        bytes: number("io_bytes"),
    }
}

/// Fails where the row of the file has not each read of it, with its bytes and those of the device.
pub fn assert_read_from_device(report: &Report, file: &Path) {
    let row = &report.file(file).counts;
    assert_eq!(
        (row.reads, row.read_bytes),
        (READS, FILE),
        "{file:?} {row:?}"
    );
    assert_eq!(row.device_read_bytes, Some(FILE), "{file:?} {row:?}");
    assert_eq!(row.device_written_bytes, Some(0), "{row:?}");
}

fn with(option: &str, path: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push(path);
    word
}

/// A device with a file to read.
pub fn device() -> (Loop, PathBuf) {
    let device = Loop::new(64 * MIB);
    let file = written_file(&device.mounted(), FILE as usize);
    (device, file)
}
