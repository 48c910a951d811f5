//! The files of a workload.

use std::{array, cmp::Reverse, collections::BTreeSet};

use super::{style::Style, table::Table};
use crate::{
    model::file::{File, FileCounts, FileGroup, FileKind, Files, PathState, RANKINGS},
    output::{
        format::{bytes, count, counted, time},
        text::{shortened_before, width},
    },
};

/// How many files have a line, and how wide their names may be in 80 columns.
const FILES: usize = 10;
const NAME: usize = 30;

/// What stands in place of the table where files are unknown.
const UNKNOWN: &str = "\nfiles and page cache unknown: this kernel lets no probe read its memory\n";

/// The table; nothing where no file was read or written.
pub fn render(files: Option<&Files>, style: Style) -> String {
    files.map_or_else(|| UNKNOWN.to_owned(), |files| table(files, FILES, style))
}

/// A table of at most so many files, and a line for all others; nothing where no file was read or written, or where files
/// are unknown.
pub fn render_most(files: Option<&Files>, most: usize, style: Style) -> String {
    files.map_or_else(String::new, |files| table(files, most, style))
}

fn table(files: &Files, most: usize, style: Style) -> String {
    if files.top.is_empty() || most == 0 {
        return String::new();
    }
    let header = ["file", "read", "written", "time", "dev. r", "dev. w"];
    let mut table = Table::new(1, &header).wider(style.spare());
    let Lines {
        lines,
        mut others,
        other_counts: mut rest,
    } = Lines::of(files, most, NAME.saturating_add(style.spare()));
    let counts: Vec<_> = lines.iter().map(|line| line.counts).collect();
    let mut shown = shown(&counts, most);
    if most < FILES {
        let sums = sums(counts.iter().copied().chain([&rest]));
        shown.retain(|place| is_notable(counts[*place], sums));
    }
    for (place, line) in lines.into_iter().enumerate() {
        if shown.contains(&place) {
            table.row(row(line.name, line.counts));
        } else {
            rest.add(line.counts);
            others = others.saturating_add(line.files);
        }
    }
    if !rest.is_nothing() {
        table.row(row(counted(others, "other file", "other files"), &rest));
    }
    format!("{}\n", table.render(style))
}

/// A file, or a group of them.
struct Line<'a> {
    name: String,
    files: u64,
    counts: &'a FileCounts,
}

/// What may have a line, by time, and what has none.
struct Lines<'a> {
    lines: Vec<Line<'a>>,
    others: u64,
    other_counts: FileCounts,
}

impl<'a> Lines<'a> {
    /// Groups stand for their files where there are more files than lines.
    fn of(files: &'a Files, most: usize, room: usize) -> Self {
        let all_fit = files.top.len() <= most && files.other_counts.is_nothing();
        let groups = files.groups.as_ref().filter(|_| !all_fit);
        let folded: &[FileGroup] = groups.map_or(&[], |groups| &groups.top);
        let is_folded = |file: &File| file.group.is_some_and(|at| at < folded.len());
        let alone = files.top.iter().filter(|file| !is_folded(file));
        let mut lines: Vec<_> = alone
            .map(|file| Line {
                name: name(file, room),
                files: 1,
                counts: &file.counts,
            })
            .chain(folded.iter().map(|group| Line {
                name: name_of_group(group, room),
                files: group.files,
                counts: &group.counts,
            }))
            .collect();
        lines.sort_by_key(|line| Reverse(line.counts.ranks()));
        let (others, other_counts) = groups.map_or_else(
            || (files.others, files.other_counts),
            |groups| (groups.others, groups.other_counts),
        );
        Self {
            lines,
            others,
            other_counts,
        }
    }
}

/// The places of those that have a line: the first of each ranking, in turns, so that whichever column somebody looks
/// for has its largest values. They stay in their order, which is that of the time.
fn shown(files: &[&FileCounts], most: usize) -> BTreeSet<usize> {
    let rankings: [Vec<usize>; RANKINGS] = array::from_fn(|ranking| {
        let mut places: Vec<_> = (0..files.len())
            .filter(|place| files[*place].ranks()[ranking] > 0)
            .collect();
        places.sort_by_key(|place| Reverse(files[*place].ranks()[ranking]));
        places
    });
    let in_turns = (0..files.len())
        .flat_map(|rank| rankings.iter().filter_map(move |places| places.get(rank)))
        .copied();
    let mut shown = BTreeSet::new();
    for place in in_turns.chain(0..files.len()) {
        if shown.len() < most {
            shown.insert(place);
        }
    }
    shown
}

/// The sums of all files, by ranking.
fn sums<'a>(files: impl Iterator<Item = &'a FileCounts>) -> [u64; RANKINGS] {
    files.fold([0; RANKINGS], |sums, counts| {
        let ranks = counts.ranks();
        array::from_fn(|ranking| sums[ranking].saturating_add(ranks[ranking]))
    })
}

/// Whether a file has a hundredth of anything: libraries and the like have not.
fn is_notable(counts: &FileCounts, sums: [u64; RANKINGS]) -> bool {
    let mut ranks = counts.ranks().into_iter().zip(sums);
    ranks.any(|(rank, sum)| rank > 0 && rank >= sum / 100)
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
fn name(file: &File, room: usize) -> String {
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
    let renamed = renamed(file, &text, room);
    marked(&text, renamed.as_deref().unwrap_or(mark), room)
}

/// What a renamed file was opened as, where there is room for that behind its name: the name alone in the same folder.
fn renamed(file: &File, path: &str, room: usize) -> Option<String> {
    let before = file.opened_as.as_ref()?.to_string();
    let (folder, name) = parts(path);
    let before = match parts(&before) {
        (same, name) if same == folder => name,
        _ => &before,
    };
    let mark = format!(" (was {before})");
    let dots = ".../";
    let left = room.checked_sub(width(dots))?.checked_sub(width(name))?;
    (width(&mark) <= left).then_some(mark)
}

/// The folder of a path and the name there.
fn parts(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The pattern, and how many files that is.
fn name_of_group(group: &FileGroup, room: usize) -> String {
    let what = if group.deleted_files == group.files {
        "deleted"
    } else {
        "files"
    };
    let mark = format!(" ({} {what})", count(group.files));
    marked(&group.pattern.to_string(), &mark, room)
}

fn marked(text: &str, mark: &str, room: usize) -> String {
    let name = shortened_before(text, room.saturating_sub(width(mark)));
    format!("{name}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::file::FileGroups, text::Text};

    fn counts(time_ns: u64, read_bytes: u64, device_read_bytes: u64) -> FileCounts {
        FileCounts {
            time_ns,
            read_bytes,
            device_read_bytes: Some(device_read_bytes),
            ..FileCounts::default()
        }
    }

    fn file(path: &str, counts: FileCounts, group: Option<usize>) -> File {
        File {
            path: Some(path.into()),
            opened_as: None,
            path_state: Some(PathState::Current),
            is_deleted: None,
            mount_namespace: None,
            kind: FileKind::File,
            inodes: None,
            counts,
            typical_size_bytes: None,
            group,
        }
    }

    #[test]
    fn the_largest_values_of_each_column_are_shown() {
        let mut files: Vec<_> = (0..30).map(|i| counts(1000 - i, 1, 0)).collect();
        files[28] = counts(2, 500, 0);
        files[29] = counts(1, 0, 4096);
        let places = shown(&files.iter().collect::<Vec<_>>(), FILES);
        assert_eq!(places.len(), FILES);
        for place in [0, 1, 28, 29] {
            assert!(places.contains(&place), "{places:?}");
        }
        // Few files are all shown, also those of which nothing is known.
        assert_eq!(
            shown(&[&counts(1, 0, 0), &counts(0, 0, 0)], FILES),
            BTreeSet::from([0, 1])
        );
        assert!(shown(&[], FILES).is_empty());
    }

    #[test]
    fn what_a_renamed_file_was_opened_as_stands_behind_its_name() {
        for (path, opened_as, shown) in [
            ("/t/x", Some("/t/x.tmp"), "/t/x (was x.tmp)"),
            ("/t/x", Some("/u/x.tmp"), "/t/x (was /u/x.tmp)"),
            ("/t/x", Some("/u/x"), "/t/x (was /u/x)"),
            ("/t/x", None, "/t/x"),
            // The beginning of the path makes room, but not that of the name.
            (
                "/var/lib/config/x.json",
                Some("/var/lib/config/x.tmp"),
                "...b/config/x.json (was x.tmp)",
            ),
            (
                "/var/lib/configuration.json",
                Some("/var/lib/configuration.tmp"),
                "/var/lib/configuration.json",
            ),
        ] {
            let mut renamed = file(path, counts(1, 1, 0), None);
            renamed.opened_as = opened_as.map(Text::from);
            let name = name(&renamed, NAME);
            assert!(width(&name) <= NAME, "{name}");
            assert_eq!(name, shown);
        }
    }

    /// So many files of a group, of which 50 have rows, with one of no group, and so many in neither.
    fn grouped(members: u64, deleted_files: u64, alone: u64) -> Files {
        let kib = |files: u64| counts(files, files.saturating_mul(1024), 0);
        let rows = (0..members.min(50)).map(|at| file(&format!("/t/tmp-{at}"), kib(1), Some(0)));
        let others = members.saturating_sub(50).saturating_add(alone);
        Files {
            top: rows
                .chain([file("/t/data", counts(1, 1, 0), None)])
                .collect(),
            others,
            other_counts: kib(others),
            by_kind: Vec::new(),
            groups: Some(FileGroups {
                top: vec![FileGroup {
                    pattern: "/t/tmp-*".into(),
                    mount_namespace: None,
                    files: members,
                    deleted_files,
                    counts: kib(members),
                    typical_size_bytes: None,
                }],
                others: alone,
                other_counts: kib(alone),
            }),
        }
    }

    /// The first two columns of each line.
    fn names(files: &Files) -> Vec<String> {
        let text = table(files, FILES, Style::PLAIN);
        let lines = text.lines().skip(1).filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let cells: Vec<_> = line.split("  ").filter(|cell| !cell.is_empty()).collect();
                format!("{}: {}", cells[0].trim(), cells[1].trim())
            })
            .collect()
    }

    #[test]
    fn a_group_has_one_line_where_there_are_more_files_than_lines() {
        let expected = [
            "/t/tmp-* (200 files): 200 KiB",
            "/t/data: 1 B",
            "7 other files: 7.00 KiB",
        ];
        assert_eq!(names(&grouped(200, 199, 7)), expected);
        let expected = ["/t/tmp-* (10 deleted): 10.0 KiB", "/t/data: 1 B"];
        assert_eq!(names(&grouped(10, 10, 0)), expected);
        // Where all have a line, none is needed.
        assert_eq!(names(&grouped(9, 9, 0)).len(), 10);
    }

    #[test]
    fn where_few_are_shown_those_without_a_hundredth_of_anything_are_others() {
        let mut files = grouped(0, 0, 0);
        files.groups = None;
        let rows = [(1000, 1000, 0), (5, 5, 100), (9, 9, 0), (0, 0, 0)];
        let rows = (0..).zip(rows).map(|(at, (time, read, device))| {
            file(&format!("/t/{at}"), counts(time, read, device), None)
        });
        files.top = rows.collect();
        let text = table(&files, 3, Style::PLAIN);
        let names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split("  ").next())
            .collect();
        assert_eq!(names, ["file", "/t/0", "/t/1", "2 other files", ""]);
    }

    #[test]
    fn a_report_without_groups_and_one_whose_groups_are_missing_show_files() {
        let mut files = grouped(200, 0, 7);
        files.groups = None;
        let lines = names(&files);
        assert_eq!(lines.len(), FILES + 1);
        assert_eq!(lines[FILES], "198 other files: 197 KiB");
        let mut files = grouped(20, 0, 0);
        let groups = files.groups.as_mut().expect("they are there");
        groups.top.clear();
        assert_eq!(names(&files).len(), FILES + 1);
    }
}
