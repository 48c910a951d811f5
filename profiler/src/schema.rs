//! The JSON Schemas of all documents that ioprof writes, generated from their types: docs/*.schema.json.
//!
//! `IOPROF_UPDATE_EXPECTED=1 cargo test -p ioprof --lib schema` writes the files anew. They are made in tests alone, so
//! that the program carries none of them.

use std::{fs, path::PathBuf};

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::transform_subschemas};
use serde_json::{Map, Value, json};

use crate::{
    analysis::tune_system::{self, SystemTuning},
    collector::loss_kinds,
    model::{
        calibration::{self, Calibration},
        report::{Report, SCHEMA},
        tune::{self, Tuning},
    },
    output::json,
};

const FOLDER: &str = "https://github.com/ioprof/ioprof/blob/main/docs";

/// The keys of distributions, and the unit of each.
const UNITS: [(&str, &str); 5] = [
    ("latency", "ns"),
    ("major_latency", "ns"),
    ("queue", "ns"),
    ("service", "ns"),
    ("size", "bytes"),
];

/// The keys of parts of 1. Those that may be more, as workloads overlap, are not among them.
const SHARES: [&str; 4] = [
    "utilization",
    "bytes_share",
    "probe_cpu_measured_share",
    "cpu_share",
];

/// The keys of numbers that may be below 0: the bounds of a difference.
const DIFFERENCES: [&str; 3] = ["low", "high", "change"];

fn generate<T: JsonSchema>(name: &str, title: &str, describe: fn(&mut Value)) -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    strict(&mut schema);
    let whole = schema.ensure_object();
    whole.insert("$id".into(), json!(format!("{FOLDER}/{name}")));
    whole.insert("title".into(), json!(title));
    let mut value = schema.to_value();
    describe(&mut value);
    let mut text = serde_json::to_string_pretty(&value).expect("a schema is JSON");
    text.push('\n');
    text
}

/// What all objects and numbers of a report have in common.
fn strict(schema: &mut Schema) {
    transform_subschemas(&mut strict, schema);
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    // Of Rust's types, and beside `minimum` of no use to others.
    if object.get("type").is_some_and(is_number) {
        object.remove("format");
    }
    // All keys are always written.
    object.remove("default");
    if !object.contains_key("properties") {
        return;
    }
    // Beside alternatives, the keys of these count, too.
    let others = match object.get_mut("oneOf").and_then(Value::as_array_mut) {
        Some(alternatives) => {
            let alternatives = alternatives.iter_mut().filter_map(Value::as_object_mut);
            alternatives.for_each(|one| {
                one.remove("additionalProperties");
            });
            "unevaluatedProperties"
        }
        None => "additionalProperties",
    };
    object.insert(others.into(), json!(false));
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (key, property) in properties {
            if let Value::Object(property) = property {
                constrain(key, property);
            }
        }
    }
}

fn is_number(kind: &Value) -> bool {
    let is = |kind: &Value| kind == "integer" || kind == "number";
    is(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(is))
}

/// What the key of a property says of its values.
fn constrain(key: &str, property: &mut Map<String, Value>) {
    let kind = property.get("type").cloned().unwrap_or_default();
    if kind == "number"
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.contains(&json!("number")))
    {
        if !DIFFERENCES.contains(&key) {
            property.insert("minimum".into(), json!(0));
        }
        if SHARES.contains(&key) {
            property.insert("maximum".into(), json!(1));
        }
    }
    if key == "errors" && kind == "object" {
        property.insert("propertyNames".into(), json!({"pattern": "^E[A-Z0-9_]+$"}));
    }
    if key == "hdr" {
        property.insert("contentEncoding".into(), json!("base64"));
    }
    let text = Value::Object(property.clone()).to_string();
    if text.contains("#/$defs/Histogram\"") {
        let unit = UNITS.iter().find(|(known, _)| *known == key);
        let (_, unit) = unit.unwrap_or_else(|| panic!("the unit of {key} belongs into UNITS"));
        property.insert("properties".into(), json!({"unit": {"const": unit}}));
    }
}

/// Sets a key of an object in a schema.
fn set(schema: &mut Value, pointer: &str, key: &str, value: Value) {
    let found = schema.pointer_mut(pointer).and_then(Value::as_object_mut);
    let found = found.unwrap_or_else(|| panic!("the schema has no {pointer}"));
    found.insert(key.to_owned(), value);
}

fn describe_both(schema: &mut Value, identifier: &str) {
    set(schema, "/properties/schema", "const", json!(identifier));
    set(
        schema,
        "/properties/started_at",
        "format",
        json!("date-time"),
    );
    set(schema, "/properties/started_at", "pattern", json!("Z$"));
}

fn describe_comparison(schema: &mut Value) {
    let identifier = json!(json::COMPARISON);
    set(schema, "/properties/schema", "const", identifier);
    set(schema, "/properties/workloads", "minItems", json!(1));
}

fn describe_tuning(schema: &mut Value) {
    describe_both(schema, tune::SCHEMA);
    set(schema, "/properties/tried", "minItems", json!(1));
}

fn describe_calibration(schema: &mut Value) {
    describe_both(schema, calibration::SCHEMA);
}

fn describe_sweep(schema: &mut Value) {
    describe_both(schema, json::SWEEP);
    for list in ["parameters", "settings"] {
        set(schema, &format!("/properties/{list}"), "minItems", json!(1));
    }
}

fn describe_system_tuning(schema: &mut Value) {
    describe_both(schema, tune_system::SCHEMA);
}

/// What the types do not tell.
fn describe_report(schema: &mut Value) {
    describe_both(schema, SCHEMA);
    let mut at = |pointer: &str, key: &str, value: Value| set(schema, pointer, key, value);
    at("/properties/workloads", "minItems", json!(1));
    let lost = "/$defs/Ledger/properties/lost";
    let kinds: Vec<_> = loss_kinds().map(|(_, name)| name).collect();
    let count = || json!({"type": "integer", "minimum": 0});
    let counts: Map<_, _> = kinds
        .iter()
        .map(|kind| ((*kind).to_owned(), count()))
        .collect();
    at(lost, "required", json!(kinds));
    at(lost, "properties", Value::Object(counts));
    at(lost, "additionalProperties", json!(false));
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let report = "report.schema.json";
    let calibration = "calibration.schema.json";
    let comparison = "compare.schema.json";
    let sweep = "sweep.schema.json";
    let tuning = "tune.schema.json";
    let system = "tune-system.schema.json";
    for (name, generated) in [
        (
            report,
            generate::<Report>(report, "Report of ioprof", describe_report),
        ),
        (
            calibration,
            generate::<Calibration>(calibration, "Calibration of ioprof", describe_calibration),
        ),
        (
            comparison,
            generate::<json::Compared<'_>>(comparison, "Comparison of ioprof", describe_comparison),
        ),
        (
            sweep,
            generate::<json::Swept<'_>>(sweep, "Sweep of ioprof", describe_sweep),
        ),
        (
            tuning,
            generate::<Tuning>(tuning, "Settings that ioprof found", describe_tuning),
        ),
        (
            system,
            generate::<SystemTuning>(system, "Settings tried by ioprof", describe_system_tuning),
        ),
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(name);
        if std::env::var_os("IOPROF_UPDATE_EXPECTED").is_some() {
            fs::write(&path, &generated).expect("the schema is written");
        }
        let kept = fs::read_to_string(&path).expect("the schema is in docs/");
        assert!(
            kept == generated,
            "docs/{name} is not that of the types: write it by \
             IOPROF_UPDATE_EXPECTED=1 cargo test -p ioprof --lib schema"
        );
    }
}
