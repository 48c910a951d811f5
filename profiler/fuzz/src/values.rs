//! `ioprof report` on what is a report but for some values: bytes alone seldom get so far.

use std::sync::LazyLock;

use ioprof::model::{read::read, report::Report};
use serde_json::{Value, json};

use crate::report::check;

/// A report of a real run, of each list the first few, and the places in it.
static SAMPLE: LazyLock<(Value, Vec<String>)> = LazyLock::new(|| {
    let text = include_str!("../../tests/fixtures/report.json");
    let mut sample = serde_json::from_str(text).unwrap_or_default();
    shorten(&mut sample);
    let mut found = Vec::new();
    places(&sample, "", &mut found);
    (sample, found)
});

fn shorten(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.truncate(2);
            list.iter_mut().for_each(shorten);
        }
        Value::Object(map) => map.values_mut().for_each(shorten),
        _ => {}
    }
}

fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    if !at.is_empty() {
        found.push(at.to_owned());
    }
    match value {
        Value::Array(list) => {
            for (index, one) in list.iter().enumerate() {
                places(one, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(map) => {
            for (key, one) in map {
                places(one, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

/// A changed report, see [`changed`].
pub fn mutated(data: &[u8]) {
    if let Some((report, size)) = changed(data) {
        check(&report, size);
    }
}

/// The sample, changed as the data say, and its size: each change is a place, a kind, and what that takes. None where it
/// is refused.
pub fn changed(data: &[u8]) -> Option<(Report, usize)> {
    let (sample, places) = &*SAMPLE;
    let mut report = sample.clone();
    let mut rest = data;
    // A place that an earlier change took away is passed over.
    while let Some(([low, high, kind], after)) = rest.split_first_chunk() {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % places.len().max(1);
        let (new, after) = value(*kind, after);
        if let Some(found) = places.get(at).and_then(|place| report.pointer_mut(place)) {
            change(found, new, *kind);
        }
        rest = after;
    }
    let bytes = report.to_string().into_bytes();
    Some((read(&bytes).ok()?, bytes.len()))
}

fn change(found: &mut Value, new: Value, kind: u8) {
    match (found, kind % 8) {
        // A few times over, but not to the power of the data's length.
        (Value::Array(list), 0) if list.len() < 64 => {
            *list = list.iter().cycle().take(list.len() * 4).cloned().collect();
        }
        (Value::Array(list), 1) => drop(list.pop()),
        (Value::Array(list), 2) => list.reverse(),
        (Value::Object(map), 0..=2) => {
            map.insert(new.as_str().unwrap_or("new").to_owned(), json!(u64::MAX));
        }
        (found, _) => *found = new,
    }
}

/// A value, and the data behind those it is made of.
fn value(kind: u8, data: &[u8]) -> (Value, &[u8]) {
    let (bytes, rest) = data.split_first_chunk::<8>().unwrap_or((&[0xff; 8], &[]));
    let number = u64::from_le_bytes(*bytes);
    match kind % 8 {
        3 => (json!(number), rest),
        4 => (json!(number as i64), rest),
        5 => (json!(f64::from_bits(number)), rest),
        6 => (json!(number >> (number % 64)), rest),
        7 => (Value::Null, data),
        _ => {
            let length = usize::from(*data.first().unwrap_or(&0)).min(data.len());
            let (text, rest) = data.split_at(length);
            (json!(String::from_utf8_lossy(text)), rest)
        }
    }
}
