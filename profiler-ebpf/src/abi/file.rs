//! Files: what each workload did to each, whoever did it for the workload.

use super::map_value;

/// Key of the table of files.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileKey {
    /// The workload, from 1.
    pub workload: u32,
    /// The device number of the file system, `s_dev`: major << 20 | minor.
    pub device: u32,
    /// The inode's number; 0 in the row that takes all for which there was no room.
    pub inode: u64,
    /// The inode's generation: a number that is used again is another file.
    pub generation: u32,
    /// Zero.
    pub padding: u32,
}
map_value!(FileKey, 24);

impl FileKey {
    /// The row of all files of a workload that have none of their own.
    pub const fn others(workload: u32) -> Self {
        Self {
            workload,
            device: 0,
            inode: 0,
            generation: 0,
            padding: 0,
        }
    }
}

/// How many files are told apart, of all workloads together.
pub const MAX_FILES: u32 = 32_768;

/// What was done to a file, shared by all CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStats {
    /// `i_mode` of the inode, as stat(2) has it.
    pub mode: u64,
    /// Bytes that were read from devices for it.
    pub device_read_bytes: u64,
    /// Bytes of it that were written to devices.
    pub device_written_bytes: u64,
    /// Bytes of its pages that were made dirty.
    pub dirtied_bytes: u64,
    /// Page faults on its pages that found the page in memory.
    pub minor_faults: u64,
    /// Page faults on its pages that waited for a device.
    pub major_faults: u64,
    /// Write faults that had to make a page dirty.
    pub dirtying_faults: u64,
    /// Nanoseconds of the major faults.
    pub major_fault_ns: u64,
}
map_value!(FileStats, 64);
