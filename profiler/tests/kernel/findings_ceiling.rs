//! The rules that ask for a device's ceiling: whether they hold depends on what its calibration says.
//!
//! So the calibrations of these tests are made up, but for the device: nothing depends on how fast that is.

use std::{fs, path::Path, process::Command};

use ioprof::{analysis::judge, model::report};
use serde_json::Value;

use crate::support::{
    Report, device::Loop, folder, ioprof, plain, program::Program, report::validate, succeed, text,
};

const MIB: u64 = 1 << 20;
/// Reads and writes of a page: so many that a busy machine does not have most of the time. Where they are read ahead,
/// that is some hundred requests.
const COUNT: &str = "4000";
/// What waits for the device's cache, too.
const FEW: &str = "200";

/// How a device's rate grows with the depth, up to 16.
#[derive(Clone, Copy)]
enum Grows {
    /// With each request in flight.
    Linearly,
    /// Not at all.
    Not,
}

/// A device, with calibrations that are kept.
struct Calibrated {
    device: Loop,
    program: Program,
    state: tempfile::TempDir,
    /// What was measured in fact.
    measured: Value,
}

impl Calibrated {
    fn new() -> Self {
        let device = Loop::new(384 * MIB);
        // So little that most of the time is waiting, whatever the machine has to do besides.
        device.set("queue/read_ahead_kb", "16");
        let state = folder();
        let file = state.path().join("calibration.json");
        let mut calibrate = ioprof();
        calibrate.args(["calibrate", "--quick", "--no-save", "-o"]);
        succeed(calibrate.arg(&file).arg(device.mounted()));
        let json = fs::read(file).expect("it was written");
        Self {
            device,
            program: Program::compile("findings"),
            state,
            measured: serde_json::from_slice(&json).expect("it is JSON"),
        }
    }

    /// Keeps a calibration by which one request in flight is served so often in a second.
    fn is_said_to_do(&self, rate: f64, grows: Grows) {
        let mut made_up = self.measured.clone();
        for series in made_up["series"].as_array_mut().expect("a list") {
            let point = series["points"][0].clone();
            let at = |depth: u32| {
                let times = match grows {
                    Grows::Linearly => f64::from(depth),
                    Grows::Not => 1.0,
                };
                let mut point = point.clone();
                point["depth"] = depth.into();
                point["operations_per_second"] = (rate * times).into();
                point["refused"] = Value::Null;
                point["steady"] = true.into();
                point
            };
            let points: Vec<Value> = [1, 2, 4, 8, 16].map(at).into();
            let most = points[4]["operations_per_second"].clone();
            series["operations_per_second"] = most;
            series["knee_depth"] = match grows {
                Grows::Linearly => 16.into(),
                Grows::Not => 1.into(),
            };
            series["points"] = points.into();
            series["again"] = Value::Null;
        }
        validate(&made_up, "calibration.schema.json");
        let folder = self.state.path().join("ioprof/calibrations");
        fs::create_dir_all(&folder).expect("it can be made");
        let file = folder.join("20260101-000000-1.json");
        fs::write(file, made_up.to_string()).expect("it can be kept");
    }

    /// The rules that fire on a mode of the program, but for those that have nothing to do with ceilings, and the report.
    fn rules(&self, mode: &str) -> (Vec<String>, Report) {
        let data = self.device.mounted().join("data");
        let count = if mode == "sync-each" { FEW } else { COUNT };
        let words = [mode, plain(&data), count];
        succeed(Command::new(self.program.path()).args(words).arg("prepare"));
        let report = with_a_slow_device(&self.report(&words));
        let found = report.findings.iter().map(|one| one.id.to_string());
        let found = found.filter(|id| RULES.contains(&id.as_str())).collect();
        let against = report.ruled_out.iter();
        let against: Vec<_> = against
            .filter(|one| RULES.contains(&one.id.as_str()))
            .collect();
        let time = &report.json["workloads"][0]["time"];
        println!("{mode}: {:#?} {against:#?} {time:#?}", report.findings);
        (found, report)
    }

    fn report(&self, words: &[&str]) -> Report {
        let file = self.state.path().join("run.json");
        let mut run = ioprof();
        run.env("XDG_STATE_HOME", self.state.path())
            .args(["run", "-o"])
            .arg(&file)
            .arg("--")
            .args(self.program.with(words));
        succeed(&mut run);
        Report::read(Path::new(&file))
    }
}

const RULES: [&str; 3] = ["AHEAD001", "DEPTH001", "LIMIT001"];

/// A rate that no device comes near to.
const FAR: f64 = 1e8;

#[test]
fn requests_one_at_a_time_are_found_where_the_device_does_more_at_once() {
    requires!("cc", "losetup mkfs.ext4");
    let calibrated = Calibrated::new();
    let undecided = |report: &Report| {
        let all = report.undecided.iter();
        all.filter(|one| RULES.contains(&one.id.as_str())).count()
    };
    let (found, report) = calibrated.rules("read-direct");
    assert_eq!((found, undecided(&report)), (vec![], 3), "without one");
    calibrated.is_said_to_do(FAR, Grows::Linearly);
    for mode in ["read-direct", "write-direct", "enter-alone"] {
        let (found, report) = calibrated.rules(mode);
        assert_eq!(found, ["DEPTH001"], "{mode}");
        assert_eq!(undecided(&report), 0, "{mode}");
        let mut findings = report.findings.iter();
        let finding = findings.find(|one| one.id.as_str() == "DEPTH001");
        let place = &finding.expect("it was found").place.device;
        let name = place.as_ref().map(ToString::to_string);
        assert_eq!(name.as_deref(), Some(calibrated.device.name()));
    }
    // What is made durable one by one, or read ahead, or under way together.
    for mode in ["sync-each", "submit-direct", "enter-once"] {
        assert_eq!(calibrated.rules(mode).0, [""; 0], "{mode}");
    }
    calibrated.is_said_to_do(FAR, Grows::Not);
    for mode in [
        "read-direct",
        "write-direct",
        "enter-alone",
        "read-in-order",
    ] {
        assert_eq!(calibrated.rules(mode).0, [""; 0], "{mode}");
    }
}

#[test]
fn read_ahead_that_asks_too_little_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    let calibrated = Calibrated::new();
    calibrated.is_said_to_do(FAR, Grows::Linearly);
    assert_eq!(calibrated.rules("read-in-order").0, ["AHEAD001"]);
}

/// The report where all the calls' time was a wait for the device: a loop device's requests are served by a thread of this
/// machine, often before who asked waits, or on the CPU of who waits. Which share of the time that is differs from run to
/// run, and is not what these rules are about.
fn with_a_slow_device(report: &Report) -> Report {
    let mut edited: report::Report =
        serde_json::from_value(report.json.clone()).expect("it is one");
    for workload in &mut edited.workloads {
        let time = workload.time.as_mut().expect("it is known");
        for call in workload.syscalls.iter_mut() {
            let call = &mut call.breakdown.as_mut().expect("it is known").off_cpu;
            call.service_ns += edited.duration_ns;
            time.off_cpu.service_ns += edited.duration_ns;
        }
    }
    judge(&mut edited);
    Report::parse(&serde_json::to_vec(&edited).expect("it is JSON"))
}

/// Whether the rule finds something where the device does such a part of what it can, while it has anything to do.
fn is_at_its_limit(calibrated: &Calibrated, report: &Report, part: f64) -> bool {
    let mut edited = report.json.clone();
    for device in edited["devices"].as_array_mut().expect("they are known") {
        let utilization = device["utilization"].as_f64().expect("a number");
        let loads = device.pointer_mut("/ceiling/loads");
        let loads = loads.and_then(Value::as_array_mut);
        // The file system may have written a little, too.
        let of_each = part / loads.as_ref().map_or(1, |loads| loads.len()) as f64;
        for load in loads.into_iter().flatten() {
            let rate = load["requests_per_second"].as_f64().expect("a number");
            for ceiling in ["ceiling_per_second", "sequential_ceiling_per_second"] {
                load[ceiling] = (rate / utilization / of_each).into();
            }
        }
    }
    let file = calibrated.state.path().join("edited.json");
    fs::write(&file, edited.to_string()).expect("it can be written");
    // The rules are those of who prints.
    let shown = succeed(ioprof().args(["report", "--full"]).arg(&file));
    let is_finding = |line: &str| line.starts_with(char::is_numeric) && line.contains(" LIMIT001 ");
    text(&shown.stdout).lines().any(is_finding)
}

#[test]
fn a_device_that_does_all_it_can_is_found() {
    requires!("cc", "losetup mkfs.ext4");
    let calibrated = Calibrated::new();
    calibrated.is_said_to_do(FAR, Grows::Not);
    for mode in ["read-direct", "write-direct", "submit-direct"] {
        let (_, report) = calibrated.rules(mode);
        for (part, expected) in [(0.5, false), (0.95, true), (3.0, false)] {
            let found = is_at_its_limit(&calibrated, &report, part);
            assert_eq!(found, expected, "{mode} {part}");
        }
    }
}
