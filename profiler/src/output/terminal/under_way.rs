//! The calls of a workload that were under way at both ends, the oldest.

use super::{line::WIDTH, style::Style};
use crate::{
    model::{
        file::FileKind,
        report::Workload,
        under_way::{At, CallUnderWay, FileUnderWay},
    },
    output::{
        format::{count, time},
        text::{shortened, shortened_before},
    },
};

/// How many have a line, at each end.
const CALLS: usize = 4;
/// How wide the name of a file may be.
const NAME: usize = 34;

/// A line for each; nothing where there was none, or a thread that began meanwhile alone.
pub fn render(workload: &Workload, style: Style) -> String {
    let Some(under_way) = &workload.calls_under_way else {
        return String::new();
    };
    let mut text = String::new();
    let mut left = under_way.more;
    for at in [At::Beginning, At::End] {
        let calls: Vec<_> = under_way
            .calls
            .iter()
            .filter(|call| call.at == at)
            .collect();
        for call in calls.iter().take(CALLS) {
            text.push_str(&format!("  {}\n", shortened(&line(call), WIDTH - 2)));
        }
        left = left.saturating_add(calls.len().saturating_sub(CALLS) as u64);
    }
    if text.is_empty() {
        return text;
    }
    if left > 0 {
        text.push_str(&format!("  and {} more\n", count(left)));
    }
    format!("{}\n{text}\n", style.heading("calls under way"))
}

fn line(call: &CallUnderWay) -> String {
    let at = match call.at {
        At::Beginning => "at the beginning",
        At::End => "at the end",
    };
    let name = call
        .call
        .as_ref()
        .map_or_else(|| "a call without a name".to_owned(), ToString::to_string);
    let age = match call.age_ns {
        Some(ns) => format!("for {}", time(ns)),
        None => "age unknown".to_owned(),
    };
    let file = call.file.as_ref().map_or_else(String::new, file);
    let whose = format!("{} ({})", call.thread_name, call.tid);
    format!("{at}: {name}{file}, {age}, {whose}")
}

fn file(file: &FileUnderWay) -> String {
    let unnamed = match file.kind {
        FileKind::Pipes => "a pipe",
        FileKind::Sockets => "a socket",
        FileKind::Directories => "a directory",
        FileKind::CharacterDevices => "a terminal or character device",
        FileKind::Anonymous => "another descriptor",
        FileKind::File | FileKind::BlockDevice => "a file (name not seen)",
    };
    let name = file
        .path
        .as_ref()
        .map_or_else(|| unnamed.to_owned(), ToString::to_string);
    format!(" on {}", shortened_before(&name, NAME))
}
