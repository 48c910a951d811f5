//! The kernel's structures, as far as the probes read them.
//!
//! There are no CO-RE relocations in Rust: user space finds each field in the running kernel's BTF and sets
//! its offset as a constant before the verifier sees the program, which then takes the access for a plain,
//! checked load. A field is one line here; both sides come from it.

/// A field whose offset is set at load.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The symbol of the constant in the object.
    pub symbol: &'static str,
    /// The structure.
    pub structure: &'static str,
    /// The path of the field in it; a dot enters an embedded structure.
    pub path: &'static str,
}

/// What a constant holds where the running kernel has no such field.
pub const ABSENT: u32 = u32::MAX;

/// Hands the list of fields to the macro named.
#[macro_export]
macro_rules! kernel_fields {
    ($with:ident) => {
        $with! {
            OFF_TASK_PID: "task_struct" "pid",
            OFF_TASK_TGID: "task_struct" "tgid",
            OFF_TASK_FLAGS: "task_struct" "flags",
            OFF_TASK_GROUP_LEADER: "task_struct" "group_leader",
            OFF_TASK_STATUS: "task_struct" "thread_info.status",
            OFF_TASK_UTIME: "task_struct" "utime",
            OFF_TASK_STIME: "task_struct" "stime",
            OFF_TASK_RUNTIME: "task_struct" "se.sum_exec_runtime",
            OFF_TASK_RCHAR: "task_struct" "ioac.rchar",
            OFF_TASK_WCHAR: "task_struct" "ioac.wchar",
            OFF_TASK_READ_BYTES: "task_struct" "ioac.read_bytes",
            OFF_TASK_WRITE_BYTES: "task_struct" "ioac.write_bytes",
            OFF_TASK_CANCELLED_WRITE_BYTES: "task_struct" "ioac.cancelled_write_bytes",
            OFF_TASK_COMM: "task_struct" "comm",
            OFF_REQUEST_QUEUE: "request" "q",
            OFF_REQUEST_FLAGS: "request" "cmd_flags",
            OFF_REQUEST_LEN: "request" "__data_len",
            OFF_REQUEST_BIO: "request" "bio",
            OFF_REQUEST_BIOTAIL: "request" "biotail",
            OFF_QUEUE_DISK: "request_queue" "disk",
            OFF_DISK_MAJOR: "gendisk" "major",
            OFF_DISK_MINOR: "gendisk" "first_minor",
            OFF_BIO_NEXT: "bio" "bi_next",
            OFF_BIO_BDEV: "bio" "bi_bdev",
            OFF_BIO_FLAGS: "bio" "bi_opf",
            OFF_BIO_SIZE: "bio" "bi_iter.bi_size",
            OFF_BIO_VECTORS: "bio" "bi_io_vec",
            OFF_BIO_END: "bio" "bi_end_io",
            OFF_BTRFS_BIO: "btrfs_bio" "bio",
            OFF_BTRFS_BIO_INODE: "btrfs_bio" "inode",
            OFF_BTRFS_INODE: "btrfs_inode" "vfs_inode",
            OFF_BIO_INDEX: "bio" "bi_iter.bi_idx",
            OFF_VECTOR_PAGE: "bio_vec" "bv_page",
            OFF_PAGE_HEAD: "page" "compound_head",
            OFF_PAGE_MAPPING: "page" "mapping",
            OFF_FOLIO_FLAGS: "folio" "flags",
            OFF_FOLIO_MAPPING: "folio" "mapping",
            OFF_FOLIO_FLAGS_1: "folio" "_flags_1",
            OFF_FOLIO_ORDER: "folio" "_folio_order",
            OFF_MAPPING_HOST: "address_space" "host",
            OFF_MAPPING_MARKS: "address_space" "i_pages.xa_flags",
            OFF_MAPPING_PAGES: "address_space" "nrpages",
            OFF_BDEV_INODE: "bdev_inode" "vfs_inode",
            OFF_BDEV_HOLDER: "block_device" "bd_holder",
            OFF_BDEV_DISK: "block_device" "bd_disk",
            OFF_INODE_NUMBER: "inode" "i_ino",
            OFF_INODE_GENERATION: "inode" "i_generation",
            OFF_INODE_MODE: "inode" "i_mode",
            OFF_INODE_MAPPING: "inode" "i_mapping",
            OFF_INODE_SB: "inode" "i_sb",
            OFF_SB_DEV: "super_block" "s_dev",
        }
    };
}

macro_rules! table {
    ($($symbol:ident: $structure:literal $path:literal),* $(,)?) => {
        /// Every field the probes read, but for the registers of a system call.
        pub const FIELDS: &[Field] = &[
            $(Field { symbol: stringify!($symbol), structure: $structure, path: $path }),*
        ];
    };
}
kernel_fields!(table);

/// The constants that hold where in `struct pt_regs` the number of a system call stands at its exit, and the
/// second to the fifth argument at its entry; which register that is depends on the architecture, so user space names them.
pub const REGISTERS: [&str; 5] = ["OFF_NUMBER", "OFF_ARG1", "OFF_ARG2", "OFF_ARG3", "OFF_ARG4"];
