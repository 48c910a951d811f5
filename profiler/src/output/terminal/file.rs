//! The files of a workload.

use super::{style::Style, table::Table};
use crate::{
    model::file::{File, FileCounts, FileKind, Files},
    output::{
        format::{bytes, count, time},
        text::shortened_before,
    },
};

/// How many files have a line, and how wide their names may be.
const FILES: usize = 10;
const NAME: usize = 30;

/// What stands in place of the table where files are unknown.
const UNKNOWN: &str = "\nfiles and page cache unknown: this kernel lets no probe read its memory\n";

/// The table; nothing where no file was read or written.
pub fn render(files: Option<&Files>, style: Style) -> String {
    files.map_or_else(|| UNKNOWN.to_owned(), |files| table(files, style))
}

fn table(files: &Files, style: Style) -> String {
    if files.top.is_empty() {
        return String::new();
    }
    let header = ["file", "read", "written", "time", "dev. r", "dev. w"];
    let mut table = Table::new(1, &header);
    for file in files.top.iter().take(FILES) {
        table.row(row(name(file), &file.counts));
    }
    let mut rest = files.other_counts;
    for file in files.top.iter().skip(FILES) {
        rest.add(&file.counts);
    }
    let more = files.top.len().saturating_sub(FILES) as u64;
    let others = files.others.saturating_add(more);
    if !rest.is_nothing() {
        table.row(row(format!("{} other files", count(others)), &rest));
    }
    format!("{}\n", table.render(style))
}

fn known(count: Option<u64>) -> String {
    count.map_or_else(|| "-".into(), bytes)
}

fn row(name: String, counts: &FileCounts) -> [String; 6] {
    [
        name,
        bytes(counts.read_bytes),
        bytes(counts.written_bytes),
        time(counts.time_ns),
        known(counts.device_read_bytes),
        known(counts.device_written_bytes),
    ]
}

/// The end of a path says more than its beginning.
fn name(file: &File) -> String {
    let text = match (file.kind, &file.path) {
        (FileKind::Directories, _) => "(directories)".into(),
        (FileKind::Pipes, _) => "(pipes)".into(),
        (FileKind::Sockets, _) => "(sockets)".into(),
        (FileKind::CharacterDevices, _) => "(terminals, character devices)".into(),
        (FileKind::Anonymous, _) => "(other descriptors)".into(),
        (_, None) => "(name not seen)".into(),
        (_, Some(path)) => path.to_string(),
    };
    let mark = if file.path.is_some() && !file.path_is_current {
        "*"
    } else {
        ""
    };
    let name = shortened_before(&text, NAME.saturating_sub(mark.len()));
    format!("{name}{mark}")
}
