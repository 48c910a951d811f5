//! `ioprof calibrate`: what it says of a device whose limit is known, what it refuses, and that nothing is left of it.
//!
//! How fast a device is, is not expected anywhere but where a control group limits it.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::sys::{signal::Signal, statvfs::statvfs};
use serde_json::Value;

use crate::support::{
    self, assert_one_line, called_directly,
    device::{Loop, written_file},
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
        let rate = |of: &Value| of["operations_per_second"].as_f64().unwrap_or_default();
        let points = series["points"].as_array().expect("a list");
        let best = points.iter().map(rate).fold(0.0, f64::max);
        assert!(best > LIMIT * 0.75, "{series:#}");
        // Of a second; a short point may have what the limit was not used for before. What a busy machine leaves of
        // it is not known, unless it was steady.
        let again = &series["again"];
        let steady = again["steady"] == true;
        assert!(rate(again) < LIMIT * 1.25, "{series:#}");
        assert!(!steady || rate(again) > LIMIT * 0.75, "{series:#}");
        assert!(rate(series) > 0.0, "{series:#}");
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

/// `ioprof calibrate --export`, of what was kept below a folder.
fn exported(state: &Path, format: &str, path: &Path) -> Output {
    let mut ioprof = ioprof();
    ioprof
        .env("XDG_STATE_HOME", state)
        .args(["calibrate", "--export", format])
        .arg(path);
    support::output(&mut ioprof)
}

#[test]
fn what_a_device_can_do_is_exported_as_it_was_measured() {
    requires!("losetup mkfs.ext4");
    let disk = Loop::new(DISK);
    let (state, path) = (folder(), disk.mounted());
    let nothing = exported(state.path(), "iotune", &path);
    assert_one_line(&nothing, &[disk.name(), "has no calibration"]);
    let file = state.path().join("calibration.json");
    succeed(calibrate(state.path(), &path).arg("-o").arg(&file));
    let calibration = read(&file);
    let rate = |operation: &str, pattern: &str, size: u64| {
        let series = series(&calibration, operation, pattern, size);
        series["operations_per_second"].as_f64().expect("it counts")
    };
    // A file in the folder is on the same device.
    let yaml = exported(state.path(), "iotune", &written_file(&path, 1));
    assert!(yaml.status.success(), "{yaml:?}");
    let expected = format!(
        "disks:\n  - mountpoint: \"{}\"\n    read_iops: {:.0}\n    read_bandwidth: {:.0}\n    \
         write_iops: {:.0}\n    write_bandwidth: {:.0}\n",
        plain(&path),
        rate("read", "random", 4096),
        rate("read", "sequential", MIB) * MIB as f64,
        rate("write", "random", 4096),
        rate("write", "sequential", MIB) * MIB as f64,
    );
    assert_eq!(text(&yaml.stdout), expected);
    let quick = exported(state.path(), "iocost", &path);
    assert_one_line(&quick, &["sequential reads of 4 KiB", "without --quick"]);
    // As a whole calibration has it.
    let mut whole = calibration.clone();
    let all = whole["series"].as_array_mut().expect("a list");
    for one in all.clone() {
        if one["pattern"] == "random" && one["size_bytes"] == 4096 {
            let mut one = one;
            one["pattern"] = "sequential".into();
            all.push(one);
        }
    }
    let folder = state.path().join("ioprof/calibrations");
    fs::write(folder.join("99990101-000000-1.json"), whole.to_string()).expect("it can be kept");
    let line = exported(state.path(), "iocost", &path);
    let number = fs::read_to_string(format!("/sys/block/{}/dev", disk.name()));
    let number = number.expect("it has a number");
    let (read, write) = (rate("read", "random", 4096), rate("write", "random", 4096));
    // Random ones are not merged, or hardly any.
    let unmerged = |operation: &str| {
        let series = series(&calibration, operation, "random", 4096);
        let points = series["points"].as_array().expect("a list").iter();
        let rates = points.chain([&series["again"]]).filter_map(|point| {
            let number = |name: &str| point[name].as_f64().expect("a number");
            let is_unmerged = number("requests") * 10.0 >= number("operations") * 9.0;
            (is_unmerged && point["refused"].is_null()).then(|| number("operations_per_second"))
        });
        rates.fold(0.0, f64::max)
    };
    let (reads, writes) = (unmerged("read"), unmerged("write"));
    let expected = format!(
        "{} ctrl=user model=linear rbps={:.0} rseqiops={reads:.0} rrandiops={read:.0} wbps={:.0} \
         wseqiops={writes:.0} wrandiops={write:.0}\n",
        number.trim(),
        (rate("read", "sequential", MIB) * MIB as f64).max(read * 4096.0),
        (rate("write", "sequential", MIB) * MIB as f64).max(write * 4096.0),
    );
    assert_eq!(text(&line.stdout), expected);
    disk.set("queue/scheduler", other_scheduler(&disk));
    let changed = exported(state.path(), "iotune", &path);
    assert_one_line(
        &changed,
        &["has a calibration, but it is with the scheduler"],
    );
    let nowhere = exported(state.path(), "iotune", Path::new("/nonexistent"));
    assert_one_line(&nowhere, &["/nonexistent"]);
}

/// A scheduler that a disk does not have now.
fn other_scheduler(disk: &Loop) -> &'static str {
    let now = fs::read_to_string(format!("/sys/block/{}/queue/scheduler", disk.name()));
    if now.expect("it has one").contains("[none]") {
        "mq-deadline"
    } else {
        "none"
    }
}

/// Reads of 4 KiB, profiled by an ioprof that finds calibrations below a folder.
fn profiled(state: &Path, disk: &Loop) -> (Value, String) {
    // Of the device: the file system on it has blocks of its own to read where somebody drops the page cache.
    let device = format!("if=/dev/{}", disk.name());
    let json = state.join("run.json");
    let mut run = ioprof();
    run.env("XDG_STATE_HOME", state)
        .args(["run", "-o"])
        .arg(&json)
        .args([
            "--",
            "dd",
            "of=/dev/null",
            "bs=4k",
            "iflag=direct",
            "count=256",
        ])
        .arg(device);
    let shown = text(&succeed(&mut run).stderr);
    let json = fs::read(&json).expect("it was written");
    let json: Value = serde_json::from_slice(&json).expect("it is JSON");
    validate(&json, "report.schema.json");
    let mut devices = json["devices"].as_array().expect("they are known").iter();
    let device = devices.find(|one| one["name"] == disk.name());
    (device.expect("it was read")["ceiling"].clone(), shown)
}

#[test]
fn reports_set_a_device_beside_its_calibration_unless_something_has_changed() {
    requires!("losetup mkfs.ext4");
    let disk = Loop::new(DISK);
    let state = folder();
    // The disk of the machine may have been calibrated, too.
    let any = &format!("of what {} can do for", disk.name());
    let (ceiling, shown) = profiled(state.path(), &disk);
    assert_eq!(ceiling, Value::Null);
    assert!(!shown.contains(any), "{shown}");
    succeed(&mut calibrate(state.path(), &disk.mounted()));
    let (ceiling, shown) = profiled(state.path(), &disk);
    assert_eq!(ceiling["unused"], Value::Null);
    let load = &ceiling["loads"][0];
    assert_eq!(
        (&load["operation"], &load["size_bytes"]),
        (&"read".into(), &4096.into())
    );
    assert!(load["share_at_depth"].as_f64() > Some(0.0), "{load:#}");
    let told = format!("{any} 4.00 KiB reads at this depth");
    assert!(shown.contains(&told), "{shown}");
    disk.set("queue/scheduler", other_scheduler(&disk));
    let (ceiling, shown) = profiled(state.path(), &disk);
    assert_eq!(ceiling["loads"], Value::Array(Vec::new()));
    assert!(
        ceiling["unused"]
            .as_str()
            .is_some_and(|why| why.contains("scheduler"))
    );
    assert!(shown.contains("its calibration is not used"), "{shown}");
    assert!(!shown.contains(any), "{shown}");
}
