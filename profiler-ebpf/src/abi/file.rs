//! Files: what each workload did to each, itself or by threads of the kernel.

use zerocopy::{FromBytes, IntoBytes};

use super::{map_value, merge::Merge};

/// Key of the table of files.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes)]
pub struct FileKey {
    /// The workload, from 1.
    pub workload: u32,
    /// The device number of the file system, `s_dev`: major << 20 | minor.
    pub device: u32,
    /// The inode's number; 0 in the row that takes all for which there was no room.
    pub inode: u64,
    /// The inode's generation: a number that is used again is another file. On overlayfs, which has none, the number that
    /// it has for the lower file system that the file is in, or was copied from.
    pub generation: u32,
    /// What tells it from others besides: the subvolume of btrfs, the generation of the upper file on overlayfs; 0 on other
    /// file systems. So a file on overlayfs that is copied up has another key from then on.
    pub instance: u32,
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
            instance: 0,
        }
    }

    /// The row of all that is of one kind and has no name: pipes, sockets, directories. `kind` is the type in
    /// `i_mode`, shifted down.
    pub const fn class(workload: u32, kind: u32) -> Self {
        Self {
            device: kind + 1,
            ..Self::others(workload)
        }
    }

    /// The row of what was read and written in pages of no file on a device, by a file system that keeps its own: which
    /// file that was for is not known.
    pub const fn of_device(workload: u32, device: u32) -> Self {
        Self {
            device,
            generation: 1,
            ..Self::others(workload)
        }
    }

    /// Whether it is the row of a kind.
    pub const fn is_class(&self) -> bool {
        self.inode == 0 && self.device != 0 && self.generation == 0
    }

    /// Whether it is the row of a device.
    pub const fn is_of_device(&self) -> bool {
        self.inode == 0 && self.generation != 0
    }
}

/// How many sizes are told apart: below 1 KiB, and then by powers of two.
pub const SIZES: usize = 16;

/// What system calls did to a file.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct FileCalls {
    /// Opens of it.
    pub opens: u64,
    /// Calls that read from it.
    pub reads: u64,
    /// Calls that wrote to it.
    pub writes: u64,
    /// Bytes they read.
    pub read_bytes: u64,
    /// Bytes they wrote.
    pub written_bytes: u64,
    /// Nanoseconds in all calls on it.
    pub ns: u64,
    /// The longest of them.
    pub max_ns: u64,
    /// Reads and writes that began where the one before had ended.
    pub sequential: u64,
    /// Reads and writes whose offset or size was no multiple of 4096.
    pub unaligned: u64,
    /// Bytes that direct I/O read from devices.
    pub device_read_bytes: u64,
    /// Bytes that direct I/O wrote to devices.
    pub device_written_bytes: u64,
    /// Bytes that io_uring and io_submit(2) moved by direct I/O.
    pub asynchronous_direct_bytes: u64,
    /// Bytes that they wrote to cached pages; those that are known to have been dirty already are left out.
    pub dirtied_bytes: u64,
    /// Reads and writes by their size, see [`size_class`].
    pub sizes: [u64; SIZES],
}
map_value!(FileCalls, 232);

impl FileCalls {
    /// No call at all.
    pub const EMPTY: Self = Self {
        opens: 0,
        reads: 0,
        writes: 0,
        read_bytes: 0,
        written_bytes: 0,
        ns: 0,
        max_ns: 0,
        sequential: 0,
        unaligned: 0,
        device_read_bytes: 0,
        device_written_bytes: 0,
        asynchronous_direct_bytes: 0,
        dirtied_bytes: 0,
        sizes: [0; SIZES],
    };
}

impl Merge for FileCalls {
    fn merge(&mut self, other: &Self) {
        let max_ns = self.max_ns.max(other.max_ns);
        macro_rules! add {
            ($($name:ident),*) => {
                let Self { $($name),*, max_ns: _ } = self;
                $($name.merge(&other.$name);)*
            };
        }
        add!(
            opens,
            reads,
            writes,
            read_bytes,
            written_bytes,
            ns,
            sequential,
            unaligned,
            device_read_bytes,
            device_written_bytes,
            asynchronous_direct_bytes,
            dirtied_bytes,
            sizes
        );
        self.max_ns = max_ns;
    }
}

/// The class of a size: 0 below 1 KiB, and one more for each power of two from there.
#[inline(always)]
pub const fn size_class(bytes: u64) -> usize {
    let mut class = 0;
    let mut rest = bytes >> 10;
    while rest != 0 && class < SIZES - 1 {
        rest >>= 1;
        class += 1;
    }
    class
}

/// The file that a thread has used last, and what it did to it that is not in its row yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct OpenFile {
    /// Its row; of no workload where there is no file.
    pub key: FileKey,
    /// Where the last read or write ended.
    pub end: u64,
    /// Where the call in flight begins to read or write.
    pub begin: u64,
    /// `f_flags` as the call in flight has found them.
    pub flags: u32,
    /// `i_mode` of its inode.
    pub mode: u32,
    /// 1 where the call in flight is on it.
    pub is_in_use: u32,
    /// 1 where its inode has had pages in the page cache, or where it has those of a file below.
    pub has_pages: u32,
    /// Bytes that the call in flight writes to folios that were clean.
    pub fresh_bytes: u64,
    /// Where the first of those folios begins.
    pub fresh_from: u64,
    /// Where bytes begin that the thread has made dirty, and that count already.
    pub dirty_from: u64,
    /// Where they end.
    pub dirty_to: u64,
    /// Where bytes begin that the thread's calls have brought into the page cache, and none has read.
    pub ahead_from: u64,
    /// Where they end; not above [`OpenFile::ahead_from`] where there are none.
    pub ahead_to: u64,
    /// What is still to be added to the row.
    pub calls: FileCalls,
}
map_value!(OpenFile, 336);

/// Where the path of a file is kept, or a part of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct Path {
    /// How many bytes of `names` are used.
    pub length: u32,
    /// The flags below, in the first part.
    pub flags: u32,
    /// The number of the mount namespace in which the path leads to the file, in the first part; 0 where there is none.
    pub namespace: u32,
    /// The number of the part with the names above; 0 in the last.
    pub next: u32,
    /// The number of the first part.
    pub first: u32,
    /// Zero.
    pub padding: u32,
    /// The address of the directory entry that the way goes on with.
    pub dentry: u64,
    /// The address of its mount; 0 where there is none.
    pub mount: u64,
    /// The names on the way from the file up, each with a NUL behind it. The second half is room for the last
    /// name to be read into.
    pub names: [u8; 2 * PATH_BYTES],
}
map_value!(Path, 552);

/// With how many bytes a part of a path is full.
pub const PATH_BYTES: usize = 256;
/// How many components of a path are read, and how many roots of mounts on the way.
pub const PATH_DEPTH: u32 = 160;

impl Path {
    /// No name at all.
    pub const EMPTY: Self = Self {
        length: 0,
        flags: 0,
        namespace: 0,
        next: 0,
        first: 0,
        padding: 0,
        dentry: 0,
        mount: 0,
        names: [0; 2 * PATH_BYTES],
    };

    /// There is more of the path than was read.
    pub const TRUNCATED: u32 = 1;
    /// The file had no name in its folder when it was first seen: it had been deleted.
    pub const DELETED: u32 = 2;
    /// The path begins at the root of the file system, wherever that is mounted.
    pub const IN_FILE_SYSTEM: u32 = 4;
    /// It is a name alone, of what is in no folder: `memfd:NAME`.
    pub const PLACELESS: u32 = 8;
}

/// What was done to a file, shared by all CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
pub struct FileStats {
    /// `i_mode` of the inode, as stat(2) has it.
    pub mode: u64,
    /// The number of its path, from 1; 0 where it has none.
    pub path: u64,
    /// Where the last read or write ended.
    pub end: u64,
    /// Where bytes begin that a thread's calls have brought into the page cache, and none of it has read.
    pub ahead_from: u64,
    /// Where they end.
    pub ahead_to: u64,
    /// What system calls did to it.
    pub calls: FileCalls,
    /// Bytes that were read from devices for it.
    pub device_read_bytes: u64,
    /// Bytes of it that were written to devices.
    pub device_written_bytes: u64,
    /// Of the bytes that a row of a device has: those of direct I/O.
    pub unknown_direct_bytes: u64,
    /// Bytes of folios that calls and io_uring's requests made dirty.
    pub folio_bytes: u64,
    /// Bytes of folios that were made dirty outside calls: through mappings.
    pub mapped_bytes: u64,
    /// How many folios those are.
    pub mapped_folios: u64,
    /// Bytes of folios that were made dirty in calls that are not seen to write.
    pub other_folio_bytes: u64,
    /// Bytes of folios of no file that were made dirty: metadata of file systems. In the row of all others.
    pub metadata_folio_bytes: u64,
    /// Page faults on its pages that found the page in memory.
    pub minor_faults: u64,
    /// Page faults on its pages that waited for a device.
    pub major_faults: u64,
    /// Write faults that had to make a page dirty.
    pub dirtying_faults: u64,
    /// Nanoseconds of the major faults.
    pub major_fault_ns: u64,
    /// 1 where it is on overlayfs, and so has its pages from inodes below.
    pub is_stacked: u64,
    /// 1 in the row of a device's inode where some of its pages counted as metadata of the file system that holds the device,
    /// which those of its node may have been.
    pub is_held: u64,
    /// 1 where some of what was dirty as the workload made pages of it dirty may have been others', or its own from before the window.
    pub has_others: u64,
    /// The row of the file in a lower file system that it is, or that it was copied from; of no workload where there is
    /// none, or where it is not known.
    pub lower: FileKey,
    /// The row of the file in the upper file system that it is, likewise.
    pub upper: FileKey,
}
map_value!(FileStats, 440);

impl FileStats {
    /// A file to which nothing was done.
    pub const EMPTY: Self = Self {
        mode: 0,
        path: 0,
        end: 0,
        ahead_from: 0,
        ahead_to: 0,
        calls: FileCalls::EMPTY,
        device_read_bytes: 0,
        device_written_bytes: 0,
        unknown_direct_bytes: 0,
        folio_bytes: 0,
        mapped_bytes: 0,
        mapped_folios: 0,
        other_folio_bytes: 0,
        metadata_folio_bytes: 0,
        minor_faults: 0,
        major_faults: 0,
        dirtying_faults: 0,
        major_fault_ns: 0,
        is_stacked: 0,
        is_held: 0,
        has_others: 0,
        lower: FileKey::others(0),
        upper: FileKey::others(0),
    };
}

#[cfg(test)]
mod tests {
    use super::{FileCalls, SIZES};
    use crate::abi::merge::Merge as _;

    #[test]
    fn a_file_may_have_more_calls_of_a_size_than_32_bits_count() {
        let of_each = |calls| FileCalls {
            sizes: [calls; SIZES],
            ..FileCalls::EMPTY
        };
        let mut sum = of_each(u32::MAX.into());
        sum.merge(&of_each(1));
        assert_eq!(sum.sizes, [1 << 32; SIZES]);
    }
}
