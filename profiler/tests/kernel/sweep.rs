//! Settings in turns: what is counted of each is exact, and is that of a run alone.

use std::{fs, path::Path, process::Output};

use ioprof::model::{file::FileKind, report::Workload};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    device::{Loop, written_file},
    folder, ioprof, output, plain, profile,
    report::validate,
    stopped_by, text,
};

/// The bytes that are copied.
const BYTES: u64 = 256 << 10;

fn read(json: &[u8]) -> Value {
    let json = serde_json::from_slice(json).expect("it is JSON");
    validate(&json, "sweep.schema.json");
    json
}

/// `ioprof sweep` with these words, and its JSON.
fn sweep(words: &[&str]) -> (Output, Value) {
    let folder = folder();
    let file = folder.path().join("x.json");
    let mut sweep = ioprof();
    let ran = output(sweep.args(["sweep", "-o"]).arg(&file).args(words));
    println!("{}", text(&ran.stderr));
    let json = fs::read(&file).expect("it was written");
    (ran, read(&json))
}

fn settings(json: &Value) -> &[Value] {
    json["settings"].as_array().expect("it is a list")
}

/// A figure of all runs of a setting.
fn of_runs(setting: &Value, key: &str) -> Vec<u64> {
    let runs = setting["runs"].as_array().expect("it is a list");
    let figures = runs.iter().map(|run| run[key].as_u64());
    figures.map(|figure| figure.expect("it is known")).collect()
}

fn words(bs: &str, from: &Path, to: &Path) -> [String; 5] {
    [
        "dd".into(),
        format!("if={}", plain(from)),
        format!("of={}", plain(to)),
        format!("bs={bs}"),
        "status=none".into(),
    ]
}

/// The bytes of files that a workload moved, and its calls.
fn moved(workload: &Workload) -> (u64, u64) {
    let files = workload.files.as_ref().expect("they are known");
    let rows = files.by_kind.iter();
    let rows = rows.filter(|row| row.kind == FileKind::File);
    let calls = workload.syscalls.iter().map(|call| call.calls);
    (
        rows.map(|row| row.read_bytes + row.written_bytes).sum(),
        calls.sum(),
    )
}

#[test]
fn calls_and_bytes_of_each_setting_are_those_of_a_run_alone() {
    requires!("dd");
    let files = folder();
    let [from, to] = ["from", "to"].map(|name| files.path().join(name));
    fs::write(&from, vec![7; BYTES as usize]).expect("a file can be written");
    // It is there before the first run, too.
    fs::write(&to, "").expect("a file can be written");
    let command = words("{bs}", &from, &to);
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let options = ["--param", "bs=4k..16k", "--repeat", "2", "--"];
    let (ran, json) = sweep(&[&options[..], &command].concat());
    assert!(ran.status.success(), "{ran:?}");
    let settings = settings(&json);
    let mut counted = Vec::new();
    for (bs, setting) in ["4k", "8k", "16k"].into_iter().zip(settings) {
        assert_eq!(setting["values"], json!({"bs": bs}));
        let alone = profile(&[], &words(bs, &from, &to));
        let (bytes, calls) = moved(alone.workload(0));
        assert_eq!(of_runs(setting, "bytes"), [bytes; 2], "{bs}");
        assert_eq!(of_runs(setting, "calls"), [calls; 2], "{bs}");
        assert_eq!(setting["calls"], json!({"min": calls, "max": calls}));
        let operations = of_runs(setting, "operations");
        assert_eq!(operations[0], operations[1], "{bs}");
        counted.push((calls, operations[0], bytes));
    }
    let [small, middle, large] = counted[..] else {
        panic!("there are three settings");
    };
    // Twice as many reads, and twice as many writes, of as many bytes.
    for ((calls, operations, bytes), (fewer, fewer_operations, same), size) in
        [(small, middle, 8 << 10), (middle, large, 16 << 10)]
    {
        let more = 2 * BYTES / size;
        assert_eq!(
            (calls, operations, bytes),
            (fewer + more, fewer_operations + more, same)
        );
    }
    // The order of the second round is the reverse of that of the first.
    let numbers = settings.iter().map(|setting| of_runs(setting, "number"));
    for number in numbers {
        assert_eq!(number[0] + number[1], 7, "{json}");
    }
    assert!(settings.iter().all(|one| of_runs(one, "round") == [1, 2]));
    assert_eq!(
        (&json["is_complete"], &json["cache"]),
        (&json!(true), &json!("as-is"))
    );
}

#[test]
fn progress_is_told_and_the_table_has_a_row_for_each_setting() {
    requires!();
    let (ran, _) = sweep(&["--param", "n=1,2", "--repeat", "2", "--", "true", "{n}"]);
    let said = text(&ran.stderr);
    let told = |begin: &str| said.lines().filter(|line| line.starts_with(begin)).count();
    assert_eq!(told("ioprof: warm-up "), 2, "{said}");
    assert_eq!(
        (told("ioprof: run 4 of 4: n="), told("ioprof: run ")),
        (1, 4),
        "{said}"
    );
    assert!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );
    for row in ["1", "2"] {
        let is_row = |line: &&str| {
            line.trim_start_matches(['K', '*'])
                .trim_start()
                .starts_with(row)
        };
        let rows = said.lines().skip_while(|line| !line.contains("slower by"));
        assert_eq!(rows.filter(is_row).count(), 1, "{said}");
    }
    let (ran, json) = sweep(&[
        "--no-warm-up",
        "--param",
        "n=1",
        "--repeat",
        "1",
        "--",
        "true",
        "{n}",
    ]);
    assert!(!text(&ran.stderr).contains("warm"), "{ran:?}");
    assert_eq!(json["warm_up"], false);
}

#[test]
fn a_setting_that_fails_is_left_out_and_gives_its_status() {
    requires!();
    let (ran, json) = sweep(&[
        "--param",
        "code=0,3",
        "--repeat",
        "2",
        "--",
        "sh",
        "-c",
        "exit {code}",
    ]);
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    let [works, fails] = settings(&json) else {
        panic!("{json}");
    };
    assert_eq!(
        (&works["failed"], &fails["failed"]),
        (&Value::Null, &json!({"code": 3}))
    );
    assert_eq!(works["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&fails["runs"], &fails["wall_ns"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(
        (&json["best"], &json["is_complete"]),
        (&json!(0), &json!(true))
    );
    let said = text(&ran.stderr);
    assert!(said.contains("exit 3: this setting is left out"), "{said}");
    let runs = said.lines().filter(|line| line.starts_with("ioprof: run "));
    assert_eq!(runs.count(), 2, "of the other setting alone: {said}");
}

#[test]
fn a_signal_ends_it_with_what_there_is() {
    requires!();
    for sent in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = folder();
        let [file, log] = ["x.json", "log"].map(|name| folder.path().join(name));
        // The third run waits for its input to end.
        let script = format!(
            "echo {{n}} >>'{log}'; test $(wc -l <'{log}') -lt 3 || {{ trap 'exit 3' INT TERM; echo; read word; }}",
            log = plain(&log)
        );
        let options = ["--no-warm-up", "--repeat", "2", "--param", "n=1,2"];
        let mut sweep = ioprof();
        sweep
            .args(["sweep", "-o", plain(&file)])
            .args(options)
            .args(["--", "sh", "-c", &script]);
        let said = stopped_by(sent, &mut sweep);
        let told = format!("INCOMPLETE: {sent}, after 2 of 4 runs");
        assert!(said.contains(&told), "{said}");
        let json = read(&fs::read(&file).expect("it was written"));
        assert_eq!(
            (&json["is_complete"], &json["stopped_by"]),
            (&json!(false), &json!(sent.as_str()))
        );
        let runs = settings(&json)
            .iter()
            .map(|one| one["runs"].as_array().map(Vec::len));
        assert_eq!(runs.collect::<Vec<_>>(), [Some(1), Some(1)]);
        let names = fs::read_dir(folder.path()).expect("there is a folder");
        assert_eq!(names.count(), 2, "nothing else is left");
    }
}

#[test]
fn json_is_alone_on_stdout_and_no_report_is_kept() {
    requires!();
    let state = folder();
    let mut sweep = ioprof();
    sweep.env("XDG_STATE_HOME", state.path());
    let words = [
        "sweep", "-o", "-", "--param", "n=1,2", "--repeat", "1", "--", "echo", "said {n}",
    ];
    let ran = output(sweep.args(words));
    assert!(ran.status.success(), "{ran:?}");
    let json = read(&ran.stdout);
    assert_eq!(settings(&json)[1]["command"], json!(["echo", "said 2"]));
    // Once to warm up, and once more.
    let said = text(&ran.stderr);
    assert_eq!(
        said.lines().filter(|line| *line == "said 1").count(),
        2,
        "{said}"
    );
    let kept = fs::read_dir(state.path()).expect("there is a folder");
    assert_eq!(kept.count(), 0);
}

#[test]
fn files_are_evicted_before_each_run() {
    requires!("dd", "mkfs.ext4", "losetup");
    let disk = Loop::new(64 << 20);
    let path = written_file(&disk.mounted(), BYTES as usize);
    let command = words("{bs}", &path, Path::new("/dev/null"));
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let options = ["--param", "bs=64k,256k", "--repeat", "2", "--evict"];
    let options = [&options[..], &[plain(&path), "--"], &command].concat();
    let (ran, json) = sweep(&options);
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(json["cache"], "evicted");
    for setting in settings(&json) {
        // dd's own pages may have to be read again, too.
        let read = of_runs(setting, "device_bytes");
        let is_cold = |bytes: &u64| *bytes >= BYTES;
        assert!(read.len() == 2 && read.iter().all(is_cold), "{setting}");
    }
    let wrong = [
        "sweep", "--param", "a=1,2", "--evict", "/none", "--", "true", "{a}",
    ];
    let refused = output(ioprof().args(wrong));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--evict /none: there is no such file"));
}

#[test]
fn options_of_a_workload_are_varied_and_the_cache_is_the_same_for_all() {
    requires!();
    let options = [
        "async",
        "--files",
        "20",
        "--file-size",
        "16K",
        "--engine",
        "tokio",
    ];
    let varied = [
        "--param",
        "depth=1,4",
        "--repeat",
        "1",
        "--param",
        "verify=yes,no",
    ];
    let (ran, json) = sweep(&[&options[..], &varied].concat());
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(
        (&json["kind"], &json["cache"]),
        (&json!("builtin"), &json!("cold-data"))
    );
    let expected = [("1", true), ("1", false), ("4", true), ("4", false)];
    assert_eq!(settings(&json).len(), expected.len());
    for ((depth, verifies), setting) in expected.into_iter().zip(settings(&json)) {
        let command = setting["command"].as_array().expect("it is a list");
        let has = |word: &str| command.iter().any(|one| one == word);
        assert!(
            has(&format!("--depth={depth}")) && has("--cache=cold-data"),
            "{setting}"
        );
        assert_eq!(has("--verify"), verifies, "{setting}");
        assert_eq!(of_runs(setting, "bytes"), [20 * (16 << 10)], "{setting}");
    }
    assert!(!text(&ran.stderr).contains("whole machine"), "{ran:?}");
}
