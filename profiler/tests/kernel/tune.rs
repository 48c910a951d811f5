//! `ioprof tune` on a device whose limit is known.

use std::{ffi::OsString, fs, process::Command};

use serde_json::Value;

use crate::support::{
    called_directly, device::Loop, folder, report::validate, requirements::skip, succeed, text,
    throttle::ThrottledReads,
};

const MIB: u64 = 1 << 20;
/// Reads in a second that the device does.
const LIMIT: u32 = 800;

#[test]
fn the_best_settings_come_to_the_limit_of_the_device() {
    requires!("losetup mkfs.ext4");
    let disk = Loop::new(384 * MIB);
    let Some(group) = ThrottledReads::new(&disk, LIMIT) else {
        return skip(ThrottledReads::MISSING);
    };
    let folder = folder();
    let file = folder.path().join("tune.json");
    let mut words: Vec<OsString> = vec![env!("CARGO_BIN_EXE_ioprof").into(), "tune".into()];
    let options = "async --access random --block-size 4K --direct --time 30 --fix workers --dir";
    words.extend(options.split(' ').map(OsString::from));
    words.extend([disk.mounted().into(), "-o".into(), file.clone().into()]);
    let words = group.command(words);
    let mut command = called_directly(Command::new(&words[0]));
    let shown = text(&succeed(command.args(&words[1..])).stdout);
    let json = fs::read(&file).expect("it was written");
    let json: Value = serde_json::from_slice(&json).expect("it is JSON");
    validate(&json, "tune.schema.json");
    let best = &json["tried"][1]["outcome"];
    let rate = best["bytes_per_second"].as_f64().expect("it is known");
    let part = rate / 4096.0 / f64::from(LIMIT);
    eprintln!("{part:.3} of the limit\n{shown}");
    assert!(part > 0.9, "{part}: {shown}");
}
