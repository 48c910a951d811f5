//! `ioprof calibrate`: what it says of a device whose limit is known, what it refuses, and that nothing is left of it.
//!
//! How fast a device is, is not expected anywhere but where a control group limits it.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::{signal::Signal, statvfs::statvfs};
use serde_json::Value;

use crate::support::{
    self, assert_one_line, called_directly,
    device::Loop,
    folder, ioprof, line, plain, reader,
    report::validate,
    requirements::{skip, tool},
    signal, succeed, text,
    throttle::ThrottledReads,
};

const MIB: u64 = 1 << 20;
/// ioprof takes half of it for its file.
const DISK: u64 = 384 * MIB;
/// Whoever waits for so long waits for nothing.
const HANG: Duration = Duration::from_secs(60);

/// `ioprof calibrate --quick`, which keeps what it measures below a folder.
fn calibrate(state: &Path, path: &Path) -> Command {
    let mut ioprof = ioprof();
    ioprof
        .env("XDG_STATE_HOME", state)
        .args(["calibrate", "--quick"])
        .arg(path);
    ioprof
}

/// What was kept there.
fn kept(state: &Path) -> usize {
    let folder = fs::read_dir(state.join("ioprof/calibrations"));
    folder.map_or(0, Iterator::count)
}

fn read(file: &Path) -> Value {
    let json = fs::read(file).expect("it was written");
    let json = serde_json::from_slice(&json).expect("it is JSON");
    validate(&json, "calibration.schema.json");
    json
}

/// The free blocks of a file system.
fn free(disk: &Loop) -> u64 {
    disk.sync();
    statvfs(&disk.mounted())
        .expect("it is mounted")
        .blocks_free()
}

fn series<'a>(calibration: &'a Value, operation: &str, pattern: &str, size: u64) -> &'a Value {
    let all = calibration["series"].as_array().expect("a list");
    let is = |one: &&Value| {
        one["operation"] == operation && one["pattern"] == pattern && one["size_bytes"] == size
    };
    all.iter().find(is).expect("it was measured")
}

#[test]
fn the_ceiling_of_a_device_of_a_known_limit_is_that_limit() {
    requires!("losetup mkfs.ext4");
    const LIMIT: f64 = 400.0;
    let disk = Loop::new(DISK);
    let Some(group) = ThrottledReads::new(&disk, LIMIT as u32) else {
        return skip(ThrottledReads::MISSING);
    };
    let (state, before) = (folder(), free(&disk));
    let file = state.path().join("calibration.json");
    let words: Vec<OsString> = vec![
        env!("CARGO_BIN_EXE_ioprof").into(),
        "calibrate".into(),
        "--quick".into(),
        disk.mounted().into(),
        "-o".into(),
        file.clone().into(),
    ];
    let words = group.command(words);
    let mut command = called_directly(Command::new(&words[0]));
    command
        .args(&words[1..])
        .env("XDG_STATE_HOME", state.path());
    let said = text(&succeed(&mut command).stdout);
    let calibration = read(&file);
    for size in [4096, 65536] {
        let series = series(&calibration, "read", "random", size);
        let found = series["operations_per_second"].as_f64();
        let found = found.expect("the points count");
        assert!((found - LIMIT).abs() < LIMIT / 4.0, "{series:#}");
        assert_ne!(series["burst"], true, "{series:#}");
    }
    for one in calibration["series"].as_array().expect("a list") {
        for point in one["points"].as_array().expect("a list") {
            assert_eq!(point["refused"], Value::Null, "{point:#}");
        }
    }
    let device = &calibration["device"];
    assert_eq!(device["name"], disk.name());
    assert_eq!(device["size_bytes"], DISK);
    assert!(device["scheduler"].is_string() && device["backing_file"].is_string());
    assert_eq!(calibration["file_system"]["kind"], "ext4");
    for part in ["append", "buffered_read"] {
        assert!(calibration[part]["operations"].as_u64() > Some(0), "{part}");
    }
    assert!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );
    assert!(
        said.contains("random read") && said.contains("kept: "),
        "{said}"
    );
    assert_eq!(kept(state.path()), 1);
    assert_eq!(free(&disk), before, "the files are gone");
}

/// Starts one, and returns when it writes its file.
fn started(state: &Path, disk: &Loop) -> Child {
    let before = disk.stat().writes;
    let mut child = calibrate(state, &disk.mounted())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ioprof can be started");
    while disk.stat().writes == before {
        let ended = child.try_wait().expect("it is a child");
        assert_eq!(ended, None, "it has ended before it wrote");
        std::thread::yield_now();
    }
    child
}

#[test]
fn however_it_ends_its_file_is_gone() {
    requires!("losetup mkfs.ext4");
    let disk = Loop::new(DISK);
    let (state, before) = (folder(), free(&disk));
    for stop in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut child = started(state.path(), &disk);
        signal(&child, stop);
        let mut stderr = reader(&mut child.stderr);
        let status = child.wait().expect("it is a child");
        let first = line(&mut stderr);
        assert!(
            first.contains(disk.name()) && first.contains("Ctrl-C"),
            "{first}"
        );
        let told = line(&mut stderr);
        if stop == Signal::SIGKILL {
            assert_eq!(status.code(), None, "{told}");
        } else {
            assert_eq!(status.code(), Some(128 + stop as i32), "{told}");
            assert!(told.contains(stop.as_str()), "{told}");
        }
        let names: Vec<_> = fs::read_dir(disk.mounted())
            .expect("it is mounted")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["lost+found"], "{stop}");
        // The kernel waits for what io_uring has in flight after the process has ended.
        let begin = Instant::now();
        while free(&disk) != before && begin.elapsed() < HANG {
            std::thread::yield_now();
        }
        assert_eq!(free(&disk), before, "{stop}");
        assert_eq!(kept(state.path()), 0, "{stop}");
    }
}

#[test]
fn what_cannot_be_calibrated_is_refused_in_a_line() {
    requires!("losetup mkfs.ext4", "mount umount");
    let (state, memory) = (folder(), folder());
    let refused = |path: &Path| support::output(&mut calibrate(state.path(), path));
    succeed(tool("mount").args(["-t", "tmpfs", "ioprof-test", plain(memory.path())]));
    let in_memory = refused(memory.path());
    succeed(tool("umount").arg(memory.path()));
    assert_one_line(&in_memory, &["tmpfs", "name a folder on a disk"]);
    let small = Loop::new(64 * MIB);
    assert_one_line(&refused(&small.mounted()), &["MiB are free", "are needed"]);
    assert_one_line(&refused(Path::new("/nonexistent")), &["/nonexistent"]);
    assert_one_line(&refused(Path::new("/dev/null")), &["name a folder"]);
    assert_one_line(&refused(Path::new("/proc")), &["/proc"]);
    assert_eq!(kept(state.path()), 0);
}

#[test]
fn any_user_can_calibrate() {
    requires!("losetup mkfs.ext4");
    let disk = Loop::new(DISK);
    let state = support::rights::folder_of(support::rights::NOBODY);
    let own = disk.mounted().join("own");
    fs::create_dir(&own).expect("a folder can be made");
    let nobody = Some(support::rights::NOBODY);
    std::os::unix::fs::chown(&own, nobody, nobody).expect("it can be given away");
    let programs = folder();
    let copy = support::copy_of_ioprof(programs.path());
    for path in [
        programs.path(),
        disk.mounted().parent().expect("it has one"),
    ] {
        let for_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path, for_all).expect("it can be set");
    }
    let folder = state.path().join("ioprof/calibrations");
    let mut command = called_directly(Command::new(copy));
    std::os::unix::process::CommandExt::uid(&mut command, support::rights::NOBODY);
    command
        .env("XDG_STATE_HOME", state.path())
        .args(["calibrate", "--quick", "-o", "-"])
        .arg(&own);
    let ended = succeed(&mut command);
    let json: Value = serde_json::from_slice(&ended.stdout).expect("JSON alone");
    validate(&json, "calibration.schema.json");
    assert_eq!(json["mode"], "quick");
    assert!(text(&ended.stderr).contains("random write"), "{ended:?}");
    let files: Vec<_> = fs::read_dir(&folder).expect("it is kept").collect();
    assert_eq!(files.len(), 1);
}
