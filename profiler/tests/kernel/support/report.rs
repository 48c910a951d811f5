//! A report as a test reads it: from its JSON, by the names that docs/report.schema.json gives.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

/// A report that agrees with the schema.
#[derive(Debug)]
pub struct Report(pub Value);

/// What a report says of one system call; all zero where it does not name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub calls: u64,
    pub errors: BTreeMap<String, u64>,
    pub bytes: u64,
}

impl Report {
    /// Reads a report that was written with `-o`.
    pub fn read(file: &Path) -> Self {
        Self::parse(&std::fs::read(file).expect("the report was written"))
    }

    /// Reads a report that was written to stdout.
    pub fn parse(json: &[u8]) -> Self {
        let value = serde_json::from_slice(json).expect("the report is JSON and nothing else");
        validate(&value);
        Self(value)
    }

    /// A workload, from 0.
    pub fn workload(&self, index: usize) -> &Value {
        &self.0["workloads"][index]
    }

    /// What the first workload did of a system call.
    pub fn call(&self, name: &str) -> Call {
        let found = items(&self.workload(0)["syscalls"]).find(|call| call["name"] == name);
        found.map_or_else(Call::default, |call| Call {
            calls: number(&call["calls"]),
            errors: call["errors"]
                .as_object()
                .expect("errors are an object")
                .iter()
                .map(|(name, count)| (name.clone(), number(count)))
                .collect(),
            bytes: call["bytes"].as_u64().unwrap_or(0),
        })
    }

    /// The histogram of a system call of the first workload.
    pub fn histogram(&self, call: &str, key: &str) -> &Value {
        items(&self.workload(0)["syscalls"])
            .find(|found| found["name"] == call)
            .map_or(&Value::Null, |found| &found[key])
    }

    /// Requests and bytes of one operation of a workload on a device.
    pub fn block(&self, workload: usize, device: &str, operation: &str) -> (u64, u64) {
        items(&self.workload(workload)["block"])
            .filter(|block| block["device"] == device && block["operation"] == operation)
            .map(|block| (number(&block["requests"]), number(&block["bytes"])))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// The row of a file in the first workload.
    pub fn file(&self, path: &Path) -> &Value {
        items(&self.workload(0)["files"]["top"])
            .find(|row| row["path"] == super::plain(path))
            .unwrap_or(&Value::Null)
    }

    /// A device, for everybody.
    pub fn device(&self, name: &str) -> &Value {
        items(&self.0["devices"])
            .find(|device| device["name"] == name)
            .unwrap_or(&Value::Null)
    }

    /// What the probes and what the kernel counted, where the ledger compares them for a device.
    pub fn device_check(&self, device: &str, what: &str) -> (u64, u64) {
        self.check(|check| check["device"] == device && check["what"] == what)
    }

    /// The same for a workload.
    pub fn workload_check(&self, workload: &str, what: &str) -> (u64, u64) {
        self.check(|check| check["workload"] == workload && check["what"] == what)
    }

    fn check(&self, wanted: impl Fn(&Value) -> bool) -> (u64, u64) {
        let check = items(&self.0["ledger"]["checks"])
            .find(|check| wanted(check))
            .unwrap_or_else(|| panic!("no such check in {:#}", self.0["ledger"]));
        (number(&check["counted"]), number(&check["kernel"]))
    }

    /// Events lost, by kind.
    pub fn lost(&self, kind: &str) -> u64 {
        number(&self.0["ledger"]["lost"][kind])
    }

    /// Whether the kernel left out a program that was running already.
    pub fn has_skipped_runs(&self) -> bool {
        items(&self.0["ledger"]["probes"]).any(|probe| probe["missed"].as_u64().unwrap_or(0) > 0)
    }

    /// Fails where anything was lost, or the probes had something to complain about. That the kernel skipped one is none
    /// where the machine is emulated: what it would have counted is inferred, or is missing and is found to be.
    pub fn assert_nothing_lost(&self) {
        let ledger = &self.0["ledger"];
        let lost = ledger["lost"].as_object().expect("losses are an object");
        assert!(lost.len() >= 7, "every kind of loss is there: {lost:?}");
        assert!(
            lost.values().all(|count| count == 0),
            "events were lost: {lost:?}"
        );
        for probe in items(&ledger["probes"]) {
            let missed = &probe["missed"];
            assert!(
                missed.is_null() || missed == 0 || super::requirements::is_emulated(),
                "a probe missed events: {probe}"
            );
        }
        let messages: Vec<_> = items(&ledger["messages"]).collect();
        assert!(messages.is_empty(), "{messages:?}");
    }
}

/// The elements of an array; none where it is null.
pub fn items(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}

/// A count.
pub fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is not a count"))
}

/// Fails where the report is not what docs/report.schema.json says.
fn validate(report: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report.schema.json");
    let schema = std::fs::read(&file).expect("the schema is in docs/");
    let schema: Value = serde_json::from_slice(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let mistakes: Vec<_> = validator
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
