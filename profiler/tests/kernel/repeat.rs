//! Runs that are repeated, and two commands in turns.

use std::{fs, path::Path, process::Output};

use crate::support::{
    Report, device::Loop, folder, ioprof, output, plain, program::Program, stopped_by, succeed,
    text,
};
use ioprof::text::Text;
use nix::sys::signal::Signal;
use serde_json::Value;

/// The files that are made, each made durable.
const FILES: u64 = 20;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("there is a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// `ioprof run` with these words, its reports below a folder.
fn run(folder: &Path, words: &[&str]) -> Output {
    let mut run = ioprof();
    output(
        run.arg("run")
            .arg("-o")
            .arg(folder.join("x.json"))
            .args(words),
    )
}

#[test]
fn each_run_has_its_report_and_what_they_have_in_common_is_told() {
    requires!("cc");
    let (program, files, reports) = (Program::compile("findings"), folder(), folder());
    let data = files.path().join("data");
    let program = program.path();
    let count = FILES.to_string();
    let words = [
        "--repeat",
        "3",
        "--",
        plain(&program),
        "sync-files",
        plain(&data),
        &count,
    ];
    let ran = run(reports.path(), &words);
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(names(reports.path()), ["x.1.json", "x.2.json", "x.3.json"]);
    for name in names(reports.path()) {
        let report = Report::read(&reports.path().join(name));
        assert_eq!(report.call("fsync").calls, FILES);
    }
    let said = text(&ran.stderr);
    let runs = said.lines().filter(|line| line.starts_with("ioprof: run "));
    assert_eq!(runs.count(), 3, "{said}");
    let told = said.lines().find(|line| line.starts_with("3 runs "));
    let told = told.map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        told,
        Some(vec!["3", "runs", "median", "least", "most"]),
        "{said}"
    );
    assert!(
        said.ends_with(" counts are the same in all runs\n"),
        "{said}"
    );
}

#[test]
fn one_more_fsync_for_each_file_is_found_in_one_run() {
    requires!("cc");
    let (program, files, reports) = (Program::compile("findings"), folder(), folder());
    let data = files.path().join("data");
    let program = program.path();
    let count = FILES.to_string();
    let before = format!("{} sync-files '{}' {count}", plain(&program), plain(&data));
    let words = [
        "--interleave",
        &before,
        "--",
        plain(&program),
        "sync-files-twice",
        plain(&data),
        &count,
    ];
    let ran = run(reports.path(), &words);
    assert!(ran.status.success(), "{ran:?}");
    let said = text(&ran.stderr);
    println!("{said}");
    let rows = said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows: Vec<_> = rows
        .filter(|row| row.first() == Some(&"fsync.calls"))
        .collect();
    assert_eq!(rows, [["fsync.calls", "20", "40", "+100", "%"]], "{said}");
    let sides = names(reports.path());
    assert_eq!(sides, ["x.after.1.json", "x.before.1.json"]);
    let [after, before] = [0, 1].map(|at: usize| reports.path().join(&sides[at]));
    for (gate, status) in [
        ("fsyncs<=+0%", 3),
        ("fsyncs>+0%:fail", 3),
        ("fsyncs==+100%", 0),
    ] {
        let mut compare = ioprof();
        let compare = compare
            .arg("compare")
            .args([&before, &after])
            .args(["--gate", gate]);
        let compared = output(compare);
        assert_eq!(compared.status.code(), Some(status), "{compared:?}");
    }
}

#[test]
fn a_run_that_fails_gives_its_status_and_one_that_cannot_begin_ends_all() {
    requires!();
    let reports = folder();
    let ran = run(
        reports.path(),
        &["--repeat", "2", "--", "sh", "-c", "exit 3"],
    );
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert_eq!(names(reports.path()), ["x.1.json", "x.2.json"]);
    let nowhere = folder();
    let ran = run(
        nowhere.path(),
        &["--repeat", "2", "--", "no-such-command-at-all"],
    );
    assert_eq!(ran.status.code(), Some(127), "{ran:?}");
    assert_eq!(text(&ran.stderr).lines().count(), 1, "{ran:?}");
    assert_eq!(names(nowhere.path()), [""; 0]);
}

#[test]
fn a_signal_ends_the_run_and_all_that_would_follow() {
    requires!();
    let reports = folder();
    for sent in [Signal::SIGTERM, Signal::SIGINT] {
        let mut run = ioprof();
        run.args([
            "run",
            "--repeat",
            "50",
            "--no-save",
            "--",
            "sh",
            "-c",
            "echo; exec cat",
        ]);
        let said = stopped_by(sent, run.current_dir(reports.path()));
        assert!(!said.contains("run 1 of 50"), "{said}");
    }
}

#[test]
fn runs_are_kept_each() {
    requires!();
    let state = folder();
    let mut run = ioprof();
    run.env("XDG_STATE_HOME", state.path());
    succeed(run.args(["run", "--repeat", "2", "--", "true"]));
    assert_eq!(names(&state.path().join("ioprof")).len(), 2);
}

#[test]
fn another_scheduler_is_in_the_report_and_named_by_a_comparison() {
    requires!("losetup mkfs.ext4");
    let (device, reports) = (Loop::new(16 << 20), folder());
    let data = format!("of={}", plain(&device.mounted().join("data")));
    let files = ["none", "mq-deadline"].map(|scheduler| {
        device.set("queue/scheduler", scheduler);
        let file = reports.path().join(format!("{scheduler}.json"));
        let mut run = ioprof();
        run.args(["run", "-o"]).arg(&file).arg("--");
        succeed(run.args([
            "dd",
            "if=/dev/zero",
            &data,
            "bs=4k",
            "count=1",
            "conv=fsync",
        ]));
        let report = Report::read(&file);
        let found = report.device(device.name()).scheduler.as_ref();
        assert_eq!(found.map(Text::as_str), Some(scheduler));
        file
    });
    let compared = succeed(
        ioprof()
            .arg("compare")
            .args(files)
            .args(["--format", "json"]),
    );
    let json: Value = serde_json::from_slice(&compared.stdout).expect("it is JSON");
    let conditions = json["conditions"].as_array().expect("it is a list");
    let schedulers = conditions.iter().map(|one| &one["differs"]);
    let schedulers = schedulers.filter(|one| one["what"] == "schedulers");
    let schedulers: Vec<_> = schedulers.collect();
    let [one] = schedulers[..] else {
        panic!("{conditions:?}");
    };
    let of_device = |side: &str, scheduler: &str| {
        let there = one[side].as_str().unwrap_or_default();
        there.contains(&format!("{} {scheduler}", device.name()))
    };
    assert!(
        of_device("before", "none") && of_device("after", "mq-deadline"),
        "{one}"
    );
}
