//! `ioprof tune`: what it writes holds together and can be used, and nothing is left of it. How fast anything is, is not
//! expected.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    assert_refused, refused,
    support::{self, folder, ioprof, plain, report::validate, succeed, text},
};

/// More time than is needed: the search ends when all is done that tells anything.
const TIME: [&str; 2] = ["--time", "100"];

/// A search for settings of a workload whose data set is small.
fn tune(words: &[&str], folder: &Path) -> Command {
    let mut tune = ioprof();
    tune.arg("tune").args(words).arg("--dir").arg(folder);
    tune.args(TIME);
    tune
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("it is there").next().is_none()
}

fn list(of: &Value) -> &Vec<Value> {
    of.as_array().expect("a list")
}

fn words(command: &Value) -> Vec<&str> {
    let words = list(command).iter();
    words.map(|word| word.as_str().expect("a word")).collect()
}

/// What a search writes, which must hold together.
fn searched(words_given: &[&str], names: &[&str]) -> (Value, String) {
    let folder = folder();
    let file = folder.path().join("tune.json");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder can be made");
    let shown = text(&succeed(tune(words_given, &data).arg("-o").arg(&file)).stdout);
    let json = fs::read(&file).expect("it was written");
    let json: Value = serde_json::from_slice(&json).expect("it is JSON");
    validate(&json, "tune.schema.json");
    assert!(is_empty(&data), "the data set is removed");

    assert_eq!(json["complete"], true);
    assert_eq!(json["workload"], words_given[0]);
    let tried = list(&json["tried"]);
    assert_eq!(tried[0]["settings"], Value::Array(Vec::new()));
    assert!(
        tried[0]["outcome"].is_object(),
        "the default runs: {json:#}"
    );
    for setting in tried.iter().flat_map(|one| list(&one["settings"])) {
        let name = setting["name"].as_str().expect("a name");
        assert!(names.contains(&name), "{name} is not searched");
    }
    let interval = &json["gain"]["interval"];
    let low = interval["low"].as_f64().expect("there were enough rounds");
    let expected = if low > 0.0 { "better" } else { "no_better" };
    assert_eq!(json["gain"]["verdict"], expected);
    assert_eq!(json["best"], tried[1]["settings"], "{json:#}");
    let command = words(&json["command"]);
    let uses_best = list(&json["best"]).iter().all(|setting| {
        let option = format!("--{}", setting["name"].as_str().expect("a name"));
        command.contains(&option.as_str())
    });
    assert_eq!(json["recommended"], uses_best, "{json:#}");

    for line in shown.lines().filter(|line| !line.contains("ioprof ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(shown.lines().count() <= 24, "{shown}");
    assert!(
        shown.contains(&format!("ioprof workload {}", words_given[0])),
        "{shown}"
    );
    assert!(shown.contains("--cache cold-data"), "{shown}");
    // What it says can be run.
    succeed(ioprof().arg("workload").args(&command));
    assert!(is_empty(&data));
    (json, shown)
}

#[test]
fn settings_of_async_are_found() {
    let small = [
        "async",
        "--files",
        "20",
        "--file-size",
        "16K",
        "--fix",
        "workers,engine",
    ];
    let (json, _) = searched(&small, &["direct", "depth", "block-size"]);
    assert_eq!(json["conditions"]["data_set"], Value::Array(Vec::new()));
    assert_eq!(json["target"]["kind"], "throughput");
    assert_eq!(json["meets_target"], Value::Null);
}

#[test]
fn settings_of_mmap_are_found() {
    let small = [
        "mmap",
        "--file-size",
        "1M",
        "--fix",
        "window,block-size",
        "--target",
        "cpu",
    ];
    let (json, shown) = searched(&small, &["populate", "huge"]);
    assert_eq!(json["settings_possible"], 3);
    assert_eq!(json["rounds"][0]["settings"], 3);
    assert!(shown.contains("of CPU time a byte"), "{shown}");
}

#[test]
fn settings_of_batch_are_found() {
    let small = [
        "batch",
        "--files",
        "20",
        "--file-size",
        "16K",
        "--target",
        "p99=1000s",
    ];
    let (json, _) = searched(&small, &["workers"]);
    assert_eq!(json["meets_target"], true);
    assert_eq!(json["target"]["limit_ns"], 1_000_000_000_000_u64);
}

#[test]
fn settings_of_copy_are_found_and_what_no_setting_keeps_is_said() {
    let small = [
        "copy",
        "--file-size",
        "1M",
        "--fix",
        "block-size",
        "--target",
        "p99=1ns",
    ];
    let folder = folder();
    let ended = succeed(tune(&small, folder.path()).args(["-o", "-"]));
    let json: Value = serde_json::from_slice(&ended.stdout).expect("JSON alone");
    validate(&json, "tune.schema.json");
    assert_eq!(json["meets_target"], false);
    let shown = text(&ended.stderr);
    assert!(
        shown.contains("nothing that was tried keeps a p99 of 1 ns"),
        "{shown}"
    );
    let methods = list(&json["tried"]).iter().filter_map(|one| {
        let method = list(&one["settings"]).first()?;
        method["value"].as_str()
    });
    assert!(methods.count() >= 4, "{json:#}");
    assert!(is_empty(folder.path()));
}

/// A search that has begun to make its data set.
fn started(folder: &Path) -> Child {
    let mut child = tune(&["batch"], folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ioprof can be started");
    while is_empty(folder) {
        let ended = child.try_wait().expect("it is a child");
        assert_eq!(ended, None, "it has ended before it began");
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_signal_ends_it_and_nothing_is_left() {
    for stop in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = folder();
        let child = started(folder.path());
        support::signal(&child, stop);
        let ended = child.wait_with_output().expect("it is a child");
        assert_eq!(ended.status.code(), Some(128 + stop as i32), "{ended:?}");
        let said = text(&ended.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains(stop.as_str()) && said.contains("gone"),
            "{said}"
        );
        assert!(is_empty(folder.path()), "{stop}");
    }
}

#[test]
fn what_cannot_be_searched_is_refused_in_a_line() {
    let one_line = |words: &[&str], told: &[&str]| {
        assert_refused(&refused(&[&["tune"], words].concat()), 2, told);
    };
    one_line(&["async", "--keep"], &["--keep", "removed"]);
    one_line(&["async", "--duration", "1"], &["--duration", "--time"]);
    one_line(
        &["copy", "--fix", "depth"],
        &["--fix depth", "method, block-size"],
    );
    one_line(&["batch", "--workers", "2"], &["nothing is left to search"]);
    let missing = ["tune", "copy", "--dir", "/nonexistent"];
    assert_refused(&refused(&missing), 125, &["/nonexistent"]);
    let folder = folder();
    let contradiction = [
        "tune",
        "async",
        "--direct",
        "--file-size",
        "1000",
        "--dir",
        plain(folder.path()),
    ];
    assert_refused(
        &refused(&contradiction),
        125,
        &["cannot tune async", "--file-size"],
    );
    assert!(is_empty(folder.path()));
    for (words, told) in [
        (["async", "--target", "p99=5"], "unit"),
        (["async", "--target", "speed"], "throughput, cpu"),
        (["async", "--time", "0"], "positive"),
        (["copy", "--depth", "4"], "--depth"),
    ] {
        let ended = refused(&[&["tune"], &words[..]].concat());
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(text(&ended.stderr).contains(told), "{ended:?}");
    }
}
