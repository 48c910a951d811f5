//! Files whose names differ in numbers only are told together, too.

use ioprof::text::Text;

use crate::support::{
    self, Report,
    device::{FileSystem, Loop},
    plain, profile,
    program::Program,
    report::{File, FileCounts, FileGroup, FileGroups, Files, known},
};

fn groups(files: &Files) -> &FileGroups {
    files.groups.as_ref().expect("they are told")
}

/// The group of a pattern, and its rows.
fn group<'a>(files: &'a Files, pattern: &str) -> (&'a FileGroup, Vec<&'a File>) {
    let all = &groups(files).top;
    let found = all.iter().position(|one| one.pattern == *pattern);
    let at = found.unwrap_or_else(|| panic!("{pattern} is not in {all:#?}"));
    let rows = files.top.iter().filter(|row| row.group == Some(at));
    (&all[at], rows.collect())
}

/// Fails where files and groups have not the same sums.
fn assert_sums(report: &Report) {
    let files = known(&report.workload(0).files);
    let groups = groups(files);
    let alone = files.top.iter().filter(|row| row.group.is_none());
    let alone: Vec<_> = alone.collect();
    for column in [
        (|row| row.opens) as fn(&FileCounts) -> u64,
        |row| row.reads,
        |row| row.read_bytes,
        |row| row.written_bytes,
        |row| row.time_ns,
        |row| row.sequential,
        |row| row.minor_faults.expect("it is known"),
        |row| row.device_written_bytes.expect("it is known"),
        |row| row.dirtied_bytes.expect("it is known"),
    ] {
        let by_group: u64 = groups.top.iter().map(|one| column(&one.counts)).sum();
        let others: u64 = alone.iter().map(|row| column(&row.counts)).sum();
        let all = by_group + others + column(&groups.other_counts);
        assert_eq!(all, report.sum_of_files(column), "{groups:#?}");
    }
    let grouped: u64 = groups.top.iter().map(|one| one.files).sum();
    let all = grouped + alone.len() as u64 + groups.others;
    assert_eq!(all, files.top.len() as u64 + files.others, "{groups:#?}");
}

#[test]
fn files_that_were_renamed_to_one_name_are_one_group() {
    requires!("cc", "losetup mount umount mkfs.ext4");
    let program = Program::compile("places");
    let disk = Loop::with(FileSystem::Ext4, 512 << 20);
    let report = profile(&[], &program.with(&["rewritten", plain(&disk.mounted())]));
    assert_sums(&report);
    let files = known(&report.workload(0).files);
    let (group, rows) = group(files, plain(&disk.mounted().join(".tmp-*")));
    // The last one still has the name that all were given.
    assert_eq!((group.files, group.deleted_files), (19, 19), "{group:#?}");
    assert_eq!((group.counts.writes, group.counts.opens), (19, 19));
    assert_eq!(group.counts.written_bytes, 19 * 7000, "{group:#?}");
    assert_eq!(group.typical_size_bytes, Some(4096));
    assert_eq!(rows.len(), 19, "{files:#?}");
    let longest = rows.iter().map(|row| row.counts.max_ns).max();
    assert_eq!(Some(group.counts.max_ns), longest);
    let row = report.file(&disk.mounted().join("data"));
    assert_eq!((row.counts.written_bytes, row.group), (7000, None));
    assert_eq!(report.shown(".tmp-*"), ".tmp-* (19 deleted)");
}

#[test]
fn a_group_has_the_files_without_a_row_too() {
    const COUNT: u64 = 1000;
    requires!("cc");
    let program = Program::compile("files");
    let folder = support::folder();
    let report = profile(
        &[],
        &program.with(&["make", plain(folder.path()), &COUNT.to_string()]),
    );
    assert_sums(&report);
    let files = known(&report.workload(0).files);
    let (group, rows) = group(files, plain(&folder.path().join("file-*")));
    assert_eq!((group.files, group.deleted_files), (COUNT, 0), "{group:#?}");
    assert_eq!(group.counts.written_bytes, COUNT, "{group:#?}");
    assert!((rows.len() as u64) < COUNT);
    for row in rows {
        let path = row.path.as_ref().map(Text::as_str).expect("a path");
        assert!(path.starts_with(plain(&folder.path().join("file-"))));
    }
    // The program itself at most.
    assert!(groups(files).others <= 1, "{files:#?}");
}
