//! The files of a workload.

use std::{array, cmp::Reverse, collections::BTreeSet};

use super::{style::Style, table::Table};
use crate::{
    model::file::{File, FileCounts, FileKind, Files, PathState, RANKINGS},
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
    let shown = shown(&files.top);
    let (mut rest, mut others) = (files.other_counts, files.others);
    for (place, file) in files.top.iter().enumerate() {
        if shown.contains(&place) {
            table.row(row(name(file), &file.counts));
        } else {
            rest.add(&file.counts);
            others = others.saturating_add(1);
        }
    }
    if !rest.is_nothing() {
        table.row(row(format!("{} other files", count(others)), &rest));
    }
    format!("{}\n", table.render(style))
}

/// The places of the files that have a line: the first of each ranking, in turns, so that whichever column somebody looks
/// for has its largest values. They stay in the order of the report, which is that of the time.
fn shown(files: &[File]) -> BTreeSet<usize> {
    let rankings: [Vec<usize>; RANKINGS] = array::from_fn(|ranking| {
        let mut places: Vec<_> = (0..files.len())
            .filter(|place| files[*place].counts.ranks()[ranking] > 0)
            .collect();
        places.sort_by_key(|place| Reverse(files[*place].counts.ranks()[ranking]));
        places
    });
    let in_turns = (0..files.len())
        .flat_map(|rank| rankings.iter().filter_map(move |places| places.get(rank)))
        .copied();
    let mut shown = BTreeSet::new();
    for place in in_turns.chain(0..files.len()) {
        if shown.len() < FILES {
            shown.insert(place);
        }
    }
    shown
}

fn known(count: Option<u64>) -> String {
    count.map_or_else(|| "-".into(), bytes)
}

fn row(name: String, counts: &FileCounts) -> [String; 6] {
    [
        name,
        bytes(counts.read_bytes),
        bytes(counts.written_bytes),
        time(counts.spent_ns()),
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
    let mark = match (file.path_state, file.is_deleted) {
        (None | Some(PathState::Current), _) => "",
        (Some(PathState::Gone), Some(true)) => " (deleted)",
        (Some(PathState::Gone), _) => "*",
        (Some(PathState::Unknown), _) => "?",
    };
    let name = shortened_before(&text, NAME.saturating_sub(mark.len()));
    format!("{name}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(time_ns: u64, read_bytes: u64, device_read_bytes: u64) -> File {
        File {
            path: None,
            path_state: None,
            is_deleted: None,
            mount_namespace: None,
            kind: FileKind::File,
            counts: FileCounts {
                time_ns,
                read_bytes,
                device_read_bytes: Some(device_read_bytes),
                ..FileCounts::default()
            },
            typical_size_bytes: None,
        }
    }

    #[test]
    fn the_largest_values_of_each_column_are_shown() {
        let mut files: Vec<_> = (0..30).map(|i| file(1000 - i, 1, 0)).collect();
        files[28] = file(2, 500, 0);
        files[29] = file(1, 0, 4096);
        let places = shown(&files);
        assert_eq!(places.len(), FILES);
        for place in [0, 1, 28, 29] {
            assert!(places.contains(&place), "{places:?}");
        }
        // Few files are all shown, also those of which nothing is known.
        assert_eq!(
            shown(&[file(1, 0, 0), file(0, 0, 0)]),
            BTreeSet::from([0, 1])
        );
        assert!(shown(&[]).is_empty());
    }
}
