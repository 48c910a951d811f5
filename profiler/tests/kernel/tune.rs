//! `ioprof tune` on a device whose limit is known.

use std::{ffi::OsString, fs, process::Command};

use ioprof_workloads::Summary;
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
    let run = |words: Vec<OsString>| {
        let words = group.command(words);
        let mut command = called_directly(Command::new(&words[0]));
        text(&succeed(command.args(&words[1..])).stdout)
    };
    let shown = run(words);
    let json = fs::read(&file).expect("it was written");
    let json: Value = serde_json::from_slice(&json).expect("it is JSON");
    validate(&json, "tune.schema.json");
    let part = |rate: Option<f64>| rate.expect("it is known") / 4096.0 / f64::from(LIMIT);
    // Short runs may have what the limit was not used for before.
    let best = part(json["tried"][1]["outcome"]["bytes_per_second"].as_f64());
    assert!(best > 0.9, "{best}: {shown}");

    // What it says to use, for some seconds.
    let mut words: Vec<OsString> = vec![env!("CARGO_BIN_EXE_ioprof").into(), "workload".into()];
    let command = json["command"].as_array().expect("a list");
    words.extend(
        command
            .iter()
            .map(|word| word.as_str().expect("a word").into()),
    );
    words.extend(["--file-size", "16M", "--summary-fd", "1"].map(OsString::from));
    let said = run(words);
    let summary = said.lines().last().expect("it says something");
    let summary: Summary = serde_json::from_str(summary).expect("it is JSON");
    let rate = summary.bytes("read") as f64 * 1e9 / summary.elapsed_ns as f64;
    let sustained = part(Some(rate));
    eprintln!("{best:.3} of the limit in short runs, {sustained:.3} in a long one");
    // What a busy machine leaves of it is not known.
    assert!((0.75..1.1).contains(&sustained), "{sustained}: {shown}");
}
