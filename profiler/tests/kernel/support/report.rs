//! A report as a test reads it: by the types that `ioprof report` reads it by. The types come from here, wherever the
//! model has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Deref,
    path::Path,
};

use ioprof::{kernel::syscall, model::read, text::Text};
use ioprof_ebpf::abi::loss::Loss;
use serde_json::Value;

use super::{folder, ioprof, succeed, text};

pub use ioprof::model::{
    aio::AioOperation,
    block::{Block, BlockOperation, Origin},
    device::Device,
    fault::{FaultTime, Faults, FileFaults},
    file::{File, FileCounts, FileGroup, FileGroups, FileKind, Files, PathState},
    io_uring::UringOperation,
    ledger::{Check, CheckKind, Probe, Verdict},
    off_cpu::{Cpu, OffCpu, Time},
    page_cache::Served,
    report::{Descendants, Executed, Exit, Kind, Workload},
    row::{Did, ProcessRow, ProcessRows},
    syscall::Syscall,
    under_way::{At, CallUnderWay},
    writeback::Writeback,
};

/// Kinds of loss that the report tells elsewhere: as requests that were in flight at the beginning, and as a message.
const NOT_IN_THE_LEDGER: [Loss; 3] = [
    Loss::RequestUnmatched,
    Loss::UnmatchedBytes,
    Loss::FilesFull,
];

/// A report that agrees with docs/report.schema.json.
#[derive(Debug)]
pub struct Report {
    report: ioprof::model::report::Report,
    /// What was written, for tests about keys and nulls.
    pub json: Value,
}

impl Deref for Report {
    type Target = ioprof::model::report::Report;

    fn deref(&self) -> &Self::Target {
        &self.report
    }
}

impl Report {
    /// The rules that have found something, the most time at stake first.
    pub fn rules(&self) -> Vec<&str> {
        let found = self.findings.iter();
        found.map(|one| one.id.as_str()).collect()
    }

    /// Reads a report that was written with `-o`.
    pub fn read(file: &Path) -> Self {
        Self::parse(&fs::read(file).expect("the report was written"))
    }

    /// Reads a report that was written to stdout.
    pub fn parse(bytes: &[u8]) -> Self {
        let json = serde_json::from_slice(bytes).expect("the report is JSON and nothing else");
        validate(&json, "report.schema.json");
        let report = read::read(bytes).expect("what agrees with the schema can be read");
        Self { report, json }
    }

    /// A workload, from 0.
    pub fn workload(&self, index: usize) -> &Workload {
        &self.workloads[index]
    }

    /// The workload of a process: they are in the order of their numbers, and not in that in which they were named.
    pub fn workload_of(&self, pid: u32) -> &Workload {
        let mut workloads = self.workloads.iter();
        let found = workloads.find(|workload| workload.root_pid == pid.cast_signed());
        found.unwrap_or_else(|| panic!("process {pid} is in no workload"))
    }

    /// What the first workload did of a system call. It must have made one: see [`Report::assert_never_called`].
    pub fn call(&self, name: &str) -> &Syscall {
        self.find_call(name)
            .unwrap_or_else(|| panic!("{name} was not called"))
    }

    /// Fails where the first workload has made this system call.
    pub fn assert_never_called(&self, name: &str) {
        let found = self.find_call(name);
        assert!(found.is_none(), "{found:?}");
    }

    fn find_call(&self, name: &str) -> Option<&Syscall> {
        let mut names = (0..syscall::OPERATIONS).map(syscall::operation_name);
        assert!(names.any(|known| known == name), "{name} has no row");
        let mut calls = self.workload(0).syscalls.iter();
        calls.find(|call| call.name == name)
    }

    /// What the first workload did by an opcode of io_uring; it must have.
    pub fn uring(&self, opcode: &str) -> &UringOperation {
        let uring = known(&self.workload(0).io_uring);
        let found = uring.operations.iter().find(|one| one.name == opcode);
        found.unwrap_or_else(|| panic!("no {opcode} in {uring:?}"))
    }

    /// What the first workload did by an opcode of io_submit; it must have.
    pub fn aio(&self, opcode: &str) -> &AioOperation {
        let aio = &self.workload(0).aio;
        let found = aio.operations.iter().find(|one| one.name == opcode);
        found.unwrap_or_else(|| panic!("no {opcode} in {aio:?}"))
    }

    /// Requests and bytes of one operation of a workload on a device.
    pub fn block(&self, workload: usize, device: &str, operation: BlockOperation) -> (u64, u64) {
        requests(self.workload(workload), device, operation)
            .fold((0, 0), |sum, one| (sum.0 + one.requests, sum.1 + one.bytes))
    }

    /// The row of a file in the first workload; it must have one.
    pub fn file(&self, path: &Path) -> &File {
        let rows = &known(&self.workload(0).files).top;
        let path = Some(super::plain(path));
        let found = rows
            .iter()
            .find(|row| row.path.as_ref().map(Text::as_str) == path);
        found.unwrap_or_else(|| panic!("{path:?} is not in {rows:#?}"))
    }

    /// Everything of a kind that has no name in the first workload; there must be some.
    pub fn files_of(&self, kind: FileKind) -> &FileCounts {
        let rows = &known(&self.workload(0).files).top;
        let found = rows.iter().find(|row| row.kind == kind);
        &found.unwrap_or_else(|| panic!("none in {rows:#?}")).counts
    }

    /// A column of the files of the first workload, all rows together, those without one included.
    pub fn sum_of_files(&self, column: impl Fn(&FileCounts) -> u64) -> u64 {
        let files = known(&self.workload(0).files);
        let rows = files.top.iter().map(|row| column(&row.counts));
        rows.sum::<u64>() + column(&files.other_counts)
    }

    /// What the terminal calls a file, from this part of its name on.
    pub fn shown(&self, part: &str) -> String {
        let folder = folder();
        let file = folder.path().join("run.json");
        fs::write(&file, self.json.to_string()).expect("it can be written");
        let text = text(&succeed(ioprof().arg("report").arg(&file)).stdout);
        let line = text.lines().find(|line| line.contains(part));
        let line = line.unwrap_or_else(|| panic!("no {part} in {text}"));
        let from = line.find(part).expect("it is in there");
        let to = line[from..].find("  ").expect("a column is behind it");
        line[from..from + to].to_owned()
    }

    /// A device, for everybody.
    pub fn device(&self, name: &str) -> &Device {
        let devices = known(&self.devices);
        let found = devices.iter().find(|device| device.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {devices:#?}"))
    }

    /// A probe of the ledger.
    pub fn probe(&self, tracepoint: &str) -> &Probe {
        let mut probes = self.ledger.probes.iter();
        let found = probes.find(|probe| probe.tracepoint == tracepoint);
        found.unwrap_or_else(|| panic!("{tracepoint} is not in the ledger"))
    }

    /// What the probes and what the kernel counted, where the ledger compares them for a device.
    pub fn device_check(&self, device: &str, what: CheckKind) -> (u64, u64) {
        self.check(what, |check| {
            check.device.as_ref().is_some_and(|found| *found == device)
        })
    }

    /// The same for the first workload.
    pub fn workload_check(&self, what: CheckKind) -> (u64, u64) {
        let name = Some(&self.workload(0).name);
        self.check(what, |check| check.workload.as_ref() == name)
    }

    fn check(&self, what: CheckKind, is_wanted: impl Fn(&Check) -> bool) -> (u64, u64) {
        let checks = &self.ledger.checks;
        let mut found = checks.iter().filter(|check| check.what == what);
        let check = found
            .find(|check| is_wanted(check))
            .unwrap_or_else(|| panic!("no such {what:?} in {checks:#?}"));
        (check.counted, check.kernel)
    }

    /// Events lost, by kind; none that is not in the ledger.
    pub fn lost(&self, kind: Loss) -> u64 {
        self.ledger.lost[name_of(kind)]
    }

    /// Whether the kernel left out a program that was running already.
    pub fn has_skipped_runs(&self) -> bool {
        self.ledger.missed() > 0
    }

    /// Fails where anything was lost, or the probes had something to complain about. That the kernel skipped one is none
    /// where the machine is emulated: what it would have counted is inferred, or is missing and is found to be.
    pub fn assert_nothing_lost(&self) {
        let lost = self.losses();
        assert!(
            lost.values().all(|count| *count == 0),
            "events were lost: {lost:?}"
        );
        for probe in &self.ledger.probes {
            assert!(
                probe.missed.unwrap_or(0) == 0 || super::requirements::is_emulated(),
                "a probe missed events: {probe:?}"
            );
        }
        let messages = &self.ledger.messages;
        assert!(messages.is_empty(), "{messages:?}");
    }

    /// Every kind of loss with its count; fails where the ledger does not have them all.
    pub fn losses(&self) -> &BTreeMap<Text, u64> {
        let lost = &self.ledger.lost;
        let told: BTreeSet<_> = lost.keys().map(Text::as_str).collect();
        let kinds = Loss::ALL.iter().map(|(kind, _)| *kind);
        let expected: BTreeSet<_> = kinds
            .filter(|kind| !NOT_IN_THE_LEDGER.contains(kind))
            .map(name_of)
            .collect();
        assert_eq!(told, expected, "kinds of loss");
        lost
    }
}

fn name_of(kind: Loss) -> &'static str {
    let found = Loss::ALL.iter().find(|(known, _)| *known == kind);
    found.expect("every kind has a name").1
}

/// A part of the report that no probe may be missing for.
pub fn known<T>(part: &Option<T>) -> &T {
    part.as_ref().expect("the probes for it are attached")
}

/// The rows of a workload for one operation on a device.
pub fn requests<'a>(
    workload: &'a Workload,
    device: &'a str,
    operation: BlockOperation,
) -> impl Iterator<Item = &'a Block> {
    known(&workload.block)
        .iter()
        .filter(move |row| row.device == device && row.operation == operation)
}

/// Fails where JSON is not what a schema in docs/ says.
pub fn validate(report: &Value, schema: &str) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let schema = fs::read(docs.join(schema)).expect("the schema is in docs/");
    let schema: Value = serde_json::from_slice(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let mistakes: Vec<_> = validator
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
