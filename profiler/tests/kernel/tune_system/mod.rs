//! `ioprof tune system`: each value is set and had back, however ioprof ends.
//!
//! The devices and mounts are the tests' own. The limits of dirty pages are the machine's: they are left to the unit tests.

mod stopped;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::{
    self, assert_one_line, called_directly,
    device::Loop,
    folder, ioprof, output, plain,
    report::validate,
    requirements::{skip, tool},
    succeed, text,
};

const MIB: u64 = 1 << 20;
const AHEAD: &str = "queue/read_ahead_kb";

/// `ioprof tune system` with these words.
fn tune(words: &[&str]) -> Command {
    let mut ioprof = ioprof();
    ioprof.args(["tune", "system"]).args(words);
    ioprof
}

/// A device that is as the kernel makes it: one of this name may have been another test's.
fn disk() -> Loop {
    let disk = Loop::new(32 * MIB);
    disk.set(AHEAD, "128");
    // The number of requests is made anew with the scheduler.
    for scheduler in ["mq-deadline", "none"] {
        disk.set("queue/scheduler", scheduler);
    }
    disk
}

/// What the kernel has for a device.
fn of_device(disk: &Loop, what: &str) -> String {
    fs::read_to_string(file_of(disk, what)).expect("the device has it")
}

fn file_of(disk: &Loop, what: &str) -> PathBuf {
    Path::new("/sys/block").join(disk.name()).join(what)
}

/// All that can be read of the queue of a device.
fn queue(disk: &Loop) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in ["queue", "queue/iosched"] {
        let entries = fs::read_dir(file_of(disk, folder)).into_iter().flatten();
        for entry in entries {
            let path = entry.expect("an entry").path();
            if let Ok(text) = fs::read_to_string(&path) {
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> Value {
    let json = fs::read(file).expect("it was written");
    let json = serde_json::from_slice(&json).expect("it is JSON");
    validate(&json, "tune-system.schema.json");
    json
}

fn setting<'a>(json: &'a Value, name: &str) -> &'a Value {
    let settings = json["settings"].as_array().expect("a list");
    let found = settings.iter().find(|setting| setting["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {json:#}"))
}

/// What would be tried of a disk; none where a file of this machine sets one of these.
fn listed(disk: &Loop, names: &[&str]) -> Option<Value> {
    let folder = folder();
    let file = folder.path().join("listed.json");
    let mounted = disk.mounted();
    let words = ["-o", plain(&file), plain(&mounted)];
    let shown = text(&succeed(&mut tune(&words)).stdout);
    assert!(shown.contains("Nothing is changed"), "{shown}");
    let json = read(&file);
    for name in names {
        let setting = setting(&json, name);
        if let Some(file) = setting["set_by"].as_str() {
            skip(&format!("{file} sets {name}"));
            return None;
        }
        let tried = setting["tried"].as_array().expect("a list");
        assert!(!tried.is_empty(), "{setting:#}");
    }
    Some(json)
}

/// The values to try of a setting.
fn values(json: &Value, name: &str) -> Vec<String> {
    let tried = setting(json, name)["tried"].as_array().expect("a list");
    let values = tried.iter().map(|one| one["value"].as_str());
    values
        .map(|value| value.expect("a text").to_owned())
        .collect()
}

#[test]
fn each_value_is_set_for_the_command_and_everything_is_as_it_was_after() {
    requires!("losetup mkfs.ext4");
    let disk = disk();
    disk.set("queue/scheduler", "mq-deadline");
    // What a change of the scheduler loses.
    disk.set("queue/nr_requests", "300");
    disk.set("queue/iosched/read_expire", "77");
    let Some(json) = listed(&disk, &["scheduler", "read_ahead_kb"]) else {
        return;
    };
    let requests = setting(&json, "nr_requests");
    let why = requests["left_alone"].as_str().expect("somebody set it");
    assert!(why.contains("default, which is 256"), "{requests:#}");
    let before = queue(&disk);
    let folder = folder();
    let (log, file) = (folder.path().join("log"), folder.path().join("tuned.json"));
    let script = "cat $1/scheduler $1/read_ahead_kb | tr '\\n' ' ' >> $2; echo >> $2";
    let (mounted, of_queue) = (disk.mounted(), file_of(&disk, "queue"));
    let words = [
        "--apply",
        "--repeat=2",
        "--cache=cold",
        "--only=scheduler,nr_requests,read_ahead_kb",
        "-o",
        plain(&file),
        plain(&mounted),
        "--",
        "sh",
        "-c",
        script,
        "sh",
        plain(&of_queue),
        plain(&log),
    ];
    let ended = succeed(&mut tune(&words));
    assert_eq!(queue(&disk), before);
    let log = fs::read_to_string(&log).expect("the command was run");
    let runs: Vec<_> = log.lines().collect();
    let found = format!("[mq-deadline] {}", of_device(&disk, AHEAD).trim());
    let [schedulers, aheads] = ["scheduler", "read_ahead_kb"].map(|name| values(&json, name));
    for scheduler in &schedulers {
        let chosen = format!("[{scheduler}]");
        let is = |run: &&&str| run.contains(&chosen);
        assert_eq!(runs.iter().filter(is).count(), 2, "{scheduler}: {log}");
    }
    for ahead in &aheads {
        let is = |run: &&&str| run.trim().ends_with(&format!(" {ahead}"));
        assert_eq!(runs.iter().filter(is).count(), 2, "{ahead}: {log}");
    }
    // The first run, and two in the turns of each of both.
    let as_found = |run: &&&str| {
        let (chosen, ahead) = found.split_once(' ').expect("both");
        run.contains(chosen) && run.trim().ends_with(&format!(" {ahead}"))
    };
    assert_eq!(runs.iter().filter(as_found).count(), 5, "{log}");
    let tuned = read(&file);
    assert_eq!(tuned["runs"], runs.len());
    assert_eq!(tuned["applied"], true);
    for name in ["scheduler", "read_ahead_kb"] {
        let setting = setting(&tuned, name);
        assert_eq!(setting["found_wall_ns"].as_array().map(Vec::len), Some(2));
        for one in setting["tried"].as_array().expect("a list") {
            assert_eq!(one["refused"], Value::Null, "{one:#}");
            // Two runs tell nothing.
            assert_eq!(one["timed"]["verdict"], "too_few_runs", "{one:#}");
        }
        assert_eq!(
            (&setting["best"], &setting["kept"]),
            (&Value::Null, &false.into())
        );
    }
    let shown = text(&ended.stdout);
    assert!(shown.contains("All settings are as they were."), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}

/// The options of a mount.
fn options(of: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("it can be read");
    let is = |line: &&str| line.split(' ').nth(4) == Some(plain(of));
    let line = mounts.lines().find(is).expect("it is mounted");
    line.split(' ').nth(5).expect("it has options").to_owned()
}

#[test]
fn what_helps_is_kept_where_that_is_asked_for_and_only_then() {
    requires!("losetup mkfs.ext4", "mount umount");
    let disk = disk();
    let mounted = disk.mounted();
    // As the kernel mounts it by itself.
    succeed(tool("umount").arg(&mounted));
    let mut mount = tool("mount");
    succeed(mount.args(["-t", "ext4"]).arg(disk.node()).arg(&mounted));
    if listed(&disk, &["atime"]).is_none() {
        return;
    }
    let found = options(&mounted);
    assert!(found.contains("relatime"), "{found}");
    let folder = folder();
    let file = folder.path().join("tuned.json");
    // It takes seconds more where accesses are noted, which no busy machine makes up for.
    let script = "! grep -q \" $1 .*relatime\" /proc/self/mountinfo || sleep 3";
    let run = |keep: &[&str]| {
        let words = ["--apply", "--only=atime", "--repeat=4", "-o", plain(&file)];
        let mut tune = tune(&[&words, keep].concat());
        tune.arg(&mounted).args(["--", "sh", "-c", script, "sh"]);
        let shown = text(&succeed(tune.arg(&mounted)).stdout);
        (read(&file), shown)
    };
    for (keep, is_kept) in [(&[][..], false), (&["--keep"], true)] {
        let (json, shown) = run(keep);
        let atime = setting(&json, "atime");
        let one = &atime["tried"][0];
        assert_eq!(one["timed"]["verdict"], "helps", "{one:#}");
        assert!(
            one["timed"]["interval"]["high"].as_f64() < Some(0.0),
            "{one:#}"
        );
        assert_eq!(
            (&atime["best"], &atime["kept"]),
            (&0.into(), &is_kept.into())
        );
        assert!(
            shown.contains("/etc/fstab") && shown.contains("noatime"),
            "{shown}"
        );
        assert_eq!(
            shown.contains("Left until the next start"),
            is_kept,
            "{shown}"
        );
        let expected = match is_kept {
            true => found.replace("relatime", "noatime"),
            false => found.clone(),
        };
        assert_eq!(options(&mounted), expected);
    }
    // Now it is what somebody has set.
    let words = ["--only=atime", "-o", plain(&file), plain(&mounted)];
    succeed(&mut tune(&words));
    let why = setting(&read(&file), "atime")["left_alone"].clone();
    assert!(
        why.as_str()
            .is_some_and(|why| why.contains("which is relatime")),
        "{why}"
    );
}

#[test]
fn only_the_files_below_the_path_leave_the_page_cache() {
    requires!("losetup mkfs.ext4");
    let disk = disk();
    if listed(&disk, &["read_ahead_kb"]).is_none() {
        return;
    }
    let below = disk.mounted().join("below");
    fs::create_dir(&below).expect("it can be made");
    let inside = support::device::written_file(&below, MIB as usize);
    let outside = support::device::written_file(&disk.mounted(), MIB as usize);
    let _kept = support::device::keep_cached(&outside);
    fs::read(&inside).expect("it can be read");
    let reads = disk.stat().read_bytes;
    let words = [
        "--apply",
        "--only=read_ahead_kb",
        "--repeat=1",
        "--cache=cold",
    ];
    let mut tune = tune(&words);
    succeed(
        tune.arg(&below)
            .args(["--", "cat", plain(&inside), plain(&outside)]),
    );
    let runs = 2 + values(
        &listed(&disk, &[]).expect("nothing is asked for"),
        "read_ahead_kb",
    )
    .len();
    // The loop device has its image in a cache of its own, and is read once for each run.
    assert_eq!(disk.stat().read_bytes - reads, runs as u64 * MIB);
}

#[test]
fn what_cannot_be_tuned_is_refused_in_a_line() {
    requires!("losetup mkfs.ext4");
    let disk = disk();
    let mounted = disk.mounted();
    let refused = |words: &[&str]| output(&mut tune(words));
    assert_one_line(&refused(&["/nonexistent"]), &["/nonexistent"]);
    assert_one_line(&refused(&["/dev/null"]), &["name a folder"]);
    assert_one_line(&refused(&["/proc"]), &["proc", "name a folder on a disk"]);
    let no_command = refused(&["--apply", plain(&mounted), "--", "no-such-command"]);
    assert_eq!(no_command.status.code(), Some(127), "{no_command:?}");
    let is_wrong = |ended: Output| assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    is_wrong(refused(&["--apply", plain(&mounted)]));
    is_wrong(refused(&["--keep", plain(&mounted), "--", "true"]));
    is_wrong(refused(&["--only=swappiness", plain(&mounted)]));
    is_wrong(refused(&["--repeat=0", plain(&mounted)]));
    is_wrong(refused(&[]));
    // Who is not root may look.
    let programs = folder();
    let copy = support::copy_of_ioprof(programs.path());
    for path in [programs.path(), mounted.parent().expect("it has one")] {
        let for_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path, for_all).expect("it can be set");
    }
    let as_nobody = |words: &[&str]| {
        let mut command = called_directly(Command::new(&copy));
        std::os::unix::process::CommandExt::uid(&mut command, support::rights::NOBODY);
        output(command.args(["tune", "system"]).args(words))
    };
    let looked = as_nobody(&[plain(&mounted)]);
    assert!(looked.status.success(), "{looked:?}");
    let tried = as_nobody(&["--apply", plain(&mounted), "--", "true"]);
    assert_one_line(&tried, &["takes root", "sudo"]);
}
