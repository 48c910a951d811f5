//! Files on a file system that is stacked on others, overlayfs: their pages are those of files below, which the probes count
//! in rows of these. Here that becomes part of the row that has the calls.

use std::collections::{HashMap, HashSet};

use ioprof_ebpf::abi::file::{FileCalls, FileKey, FileStats};

use super::file::File;

/// The rows that have the pages of a file on such a file system, as far as they are known.
pub fn below(file: &File) -> impl Iterator<Item = FileKey> + use<> {
    let FileStats { lower, upper, .. } = file.stats;
    let keys = [lower, upper].into_iter();
    keys.filter(|key| key.workload != 0)
}

/// Adds what the rows of files below have to those of the files above. A row below remains where the workload has used the
/// file by itself too, or by several above: then nothing tells whose its pages were, and those above are without.
pub fn fold(files: &mut Vec<File>) {
    let mut above = HashMap::<FileKey, Vec<usize>>::new();
    for (place, file) in files.iter_mut().enumerate() {
        for key in below(file) {
            above.entry(key).or_default().push(place);
            file.has_pages = true;
        }
    }
    let mut folded = HashSet::new();
    for place in 0..files.len() {
        let File { key, stats, .. } = files[place];
        let Some(rows) = above.get(&key) else {
            continue;
        };
        match one_file(files, rows) {
            Some(row) if stats.calls == FileCalls::EMPTY => {
                add_pages(&mut files[row].stats, &stats);
                folded.insert(key);
            }
            _ => {
                for row in rows {
                    files[*row].has_pages = false;
                }
            }
        }
    }
    files.retain(|file| !folded.contains(&file.key));
}

/// The first of some rows, where all are of one file: it has one from before it was copied to the upper file system, and
/// one from then on. None where they are of several.
fn one_file(files: &[File], rows: &[usize]) -> Option<usize> {
    let before_copy = |row: &usize| FileKey {
        instance: 0,
        ..files[*row].key
    };
    let first = *rows.iter().min_by_key(|row| files[**row].key.instance)?;
    rows.iter()
        .all(|row| before_copy(row) == before_copy(&first))
        .then_some(first)
}

/// Adds what was done to pages.
fn add_pages(sum: &mut FileStats, other: &FileStats) {
    macro_rules! add {
        ($($name:ident),*) => { $(sum.$name += other.$name;)* };
    }
    add!(
        device_read_bytes,
        device_written_bytes,
        folio_bytes,
        mapped_bytes,
        mapped_folios,
        other_folio_bytes,
        minor_faults,
        major_faults,
        dirtying_faults,
        major_fault_ns
    );
    sum.has_others |= other.has_others;
}

#[cfg(test)]
mod tests {
    use super::{super::path::Place, *};

    const fn key(inode: u64) -> FileKey {
        FileKey {
            workload: 1,
            device: 1,
            inode,
            generation: 0,
            instance: 0,
        }
    }

    fn row(inode: u64, stats: FileStats) -> File {
        File {
            key: key(inode),
            stats,
            place: Place::default(),
            folio_bytes: 0,
            has_pages: stats.is_stacked == 0,
        }
    }

    const READ: FileStats = FileStats {
        device_read_bytes: 4096,
        ..FileStats::EMPTY
    };

    fn above(lower: u64, upper: FileKey) -> FileStats {
        FileStats {
            is_stacked: 1,
            lower: key(lower),
            upper,
            ..FileStats::EMPTY
        }
    }

    /// Inode, bytes read from devices, and whether the row has all of them.
    fn told(files: &[File]) -> Vec<(u64, u64, bool)> {
        let tell = |file: &File| (file.key.inode, file.stats.device_read_bytes, file.has_pages);
        files.iter().map(tell).collect()
    }

    #[test]
    fn what_is_below_is_part_of_what_is_above() {
        let none = FileKey::others(0);
        let mut copied = row(1, above(10, key(11)));
        copied.key.instance = 1;
        let mut files = vec![
            row(10, READ),
            row(1, above(10, none)),
            copied,
            row(11, READ),
            row(2, above(20, none)),
            row(3, READ),
        ];
        fold(&mut files);
        assert_eq!(
            told(&files),
            [
                (1, 4096, true),
                (1, 4096, true),
                (2, 0, true),
                (3, 4096, true)
            ]
        );
    }

    #[test]
    fn what_may_be_of_several_is_of_none() {
        let none = FileKey::others(0);
        let mut used = READ;
        used.calls.opens = 1;
        let unknown = FileStats {
            is_stacked: 1,
            ..FileStats::EMPTY
        };
        let mut of_second_layer = row(5, above(50, none));
        of_second_layer.key.generation = 2;
        let mut files = vec![
            row(1, above(10, none)),
            row(2, above(10, none)),
            row(10, READ),
            row(3, above(30, none)),
            row(30, used),
            row(4, unknown),
            row(5, above(50, none)),
            // Of the same number in another lower file system.
            of_second_layer,
            row(50, READ),
        ];
        fold(&mut files);
        assert_eq!(
            told(&files),
            [
                (1, 0, false),
                (2, 0, false),
                (10, 4096, true),
                (3, 0, false),
                (30, 4096, true),
                (4, 0, false),
                (5, 0, false),
                (5, 0, false),
                (50, 4096, true)
            ]
        );
    }
}
