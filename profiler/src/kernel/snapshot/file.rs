//! The table of files, with their paths.

use std::{collections::HashMap, iter};

use ioprof_ebpf::abi::{
    file::{FileKey, FileStats, OpenFile},
    layout::MAX_FILES,
    merge::Merge as _,
    names,
};

use super::{
    device_node,
    path::{Paths, Place},
    stacked,
};
use crate::{
    error::Error,
    kernel::bpf::{
        Ebpf,
        map::{Hash, PerCpuArray},
    },
};

/// A row of the table of files.
#[derive(Clone, Debug)]
pub struct File {
    /// Its workload, and the file.
    pub key: FileKey,
    /// What was done to it.
    pub stats: FileStats,
    /// Its path, and where that leads now.
    pub place: Place,
    /// Bytes of folios of the file that any workload made dirty.
    pub folio_bytes: u64,
    /// Whether the row has all that was done to pages of the file. On a file system that is stacked on others these are
    /// the pages of a file below, and of a node those of its device.
    pub has_pages: bool,
}

impl File {
    /// Bytes of it that its workload has made dirty, at most: folios that were made so through mappings are counted
    /// whole, and calls with what they wrote, but no more than the folios, where all that its workload wrote is known.
    pub fn dirtied_bytes(&self, knows_writes: bool) -> u64 {
        let stats = &self.stats;
        let by_calls = match stats.calls.writes {
            1.. if knows_writes => stats.calls.dirtied_bytes.min(self.folio_bytes),
            // By calls on another inode, as where a file system is above it, or by what was not seen.
            _ => stats.folio_bytes,
        };
        let all = by_calls + stats.mapped_bytes + stats.other_folio_bytes;
        // What a ring writes may be among the others.
        all.min(self.folio_bytes.max(self.own_folio_bytes()))
    }

    /// Whether it is a file, or a block device; or all those for which there was no row.
    const fn has_data(&self) -> bool {
        let kind = self.stats.mode >> 12;
        let is_others = self.key.inode == 0 && !self.key.is_class();
        matches!(kind, 0o6 | 0o10) || is_others
    }

    /// Bytes that its workload wrote to it by calls and io_uring, and that a device may have to write for that: not
    /// those that went to the page cache and made nothing dirty there, as on tmpfs.
    pub fn written_for_device(&self) -> u64 {
        let calls = &self.stats.calls;
        let in_memory = match self.folio_bytes {
            0 => calls.dirtied_bytes,
            _ => 0,
        };
        if self.has_data() {
            calls.written_bytes.saturating_sub(in_memory)
        } else {
            0
        }
    }

    /// Bytes that were read from a device for it though its workload may not have called for any of it: through mappings.
    pub const fn read_unasked(&self) -> u64 {
        if self.is_read_by_calls_alone() || self.key.is_of_device() {
            0
        } else {
            self.stats.device_read_bytes
        }
    }

    /// Whether what was read of it was read by calls: of a file that is mapped, too, as a library is, it is not known for which of both
    /// a device has read.
    const fn is_read_by_calls_alone(&self) -> bool {
        let faults = self.stats.minor_faults + self.stats.major_faults;
        self.stats.calls.reads > 0 && faults == 0
    }

    /// Whether bytes were read from a device for no file that is known, and by no direct I/O: a call may have asked for
    /// them, or a mapping.
    pub const fn may_be_unasked(&self) -> bool {
        self.key.is_of_device() && self.stats.device_read_bytes > self.stats.unknown_direct_bytes
    }

    /// Bytes of it that its workload read by calls, io_uring and io_submit, and that a device may have had to read for that.
    pub fn read_of_device(&self) -> u64 {
        if self.has_data() && (self.is_read_by_calls_alone() || self.key.is_of_device()) {
            self.stats.calls.read_bytes
        } else {
            0
        }
    }

    /// Bytes of it that were written to a device though its workload has changed nothing: as by sync(2). Or may not have
    /// changed them.
    pub const fn written_unasked(&self) -> u64 {
        if self.key.is_of_device() {
            return 0;
        }
        match (self.stats.calls.writes, self.own_folio_bytes()) {
            (0, 0) => self.stats.device_written_bytes,
            _ if self.has_dirty_of_others() => self.stats.device_written_bytes,
            _ => 0,
        }
    }

    /// Whether pages of it were dirty that its workload had not made so, or not in the window, and that may have been written with
    /// those that it has.
    pub const fn has_dirty_of_others(&self) -> bool {
        let only_wrote_over = self.stats.calls.dirtied_bytes > 0
            && self.own_folio_bytes() == 0
            && self.stats.device_written_bytes > 0;
        self.stats.has_others != 0 || only_wrote_over
    }

    /// Bytes of folios that its workload has made dirty.
    pub const fn own_folio_bytes(&self) -> u64 {
        self.stats.folio_bytes + self.stats.mapped_bytes + self.stats.other_folio_bytes
    }
}

/// Reads the rows.
pub fn read(ebpf: &Ebpf, paths: &Paths) -> Result<Vec<File>, Error> {
    // Room for all: what is not used of it takes no memory, and it is not copied as it grows.
    let mut files = Vec::with_capacity(MAX_FILES as usize);
    // One by one: there may be tens of thousands.
    for row in Hash::<FileKey, FileStats>::of(ebpf, names::FILES)?.iter() {
        let (key, stats) = row?;
        files.push(File {
            key,
            stats,
            place: paths.place(&key, &stats)?,
            folio_bytes: 0,
            has_pages: stats.is_stacked == 0,
        });
    }
    add_kept(ebpf, &mut files)?;
    device_node::refer_to_devices(&mut files);
    add_folios(&mut files);
    stacked::fold(&mut files);
    Ok(files)
}

/// Sums the folios that workloads made dirty, by file: one may write to what another has made dirty.
fn add_folios(files: &mut [File]) {
    let mut sums = HashMap::<_, u64>::new();
    for file in files.iter() {
        let key = FileKey {
            workload: 0,
            ..file.key
        };
        *sums.entry(key).or_default() += file.own_folio_bytes();
    }
    for file in files {
        let places = iter::once(file.key).chain(stacked::below(file));
        let of_place = |key: FileKey| sums.get(&FileKey { workload: 0, ..key });
        file.folio_bytes = places.filter_map(of_place).sum();
    }
}

/// Adds what io_uring's requests did to the file that each CPU still keeps.
fn add_kept(ebpf: &Ebpf, files: &mut [File]) -> Result<(), Error> {
    let kept = PerCpuArray::<OpenFile>::of(ebpf, names::URING_FILE)?;
    for open in kept.get(0)?.iter() {
        let others = FileKey::others(open.key.workload);
        let row = [open.key, others]
            .into_iter()
            .find_map(|wanted| files.iter().position(|file| file.key == wanted));
        if let Some(row) = row {
            files[row].stats.calls.merge(&open.calls);
        }
    }
    Ok(())
}
