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
    /// The structure; behind a bar stands what other kernels call it.
    pub structure: &'static str,
    /// The path of the field in it: a dot enters an embedded structure, and behind a bar stands what other kernels
    /// call it.
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
            OFF_TASK_RINGS: "task_struct" "io_uring",
            OFF_TASK_SECCOMP: "task_struct" "seccomp.mode",
            OFF_TASK_WORKS: "task_struct" "task_works",
            OFF_TASK_STORAGE: "task_struct" "bpf_storage",
            OFF_TASK_GROUP_LEADER: "task_struct" "group_leader",
            OFF_TASK_STATUS: "task_struct" "thread_info.status",
            OFF_TASK_UTIME: "task_struct" "utime",
            OFF_TASK_STIME: "task_struct" "stime",
            OFF_TASK_RUNTIME: "task_struct" "se.sum_exec_runtime",
            OFF_TASK_STATE: "task_struct" "__state",
            OFF_TASK_IN_IOWAIT: "task_struct" "in_iowait",
            OFF_TASK_ON_CPU: "task_struct" "on_cpu",
            OFF_TASK_RCHAR: "task_struct" "ioac.rchar",
            OFF_TASK_WCHAR: "task_struct" "ioac.wchar",
            OFF_TASK_READ_BYTES: "task_struct" "ioac.read_bytes",
            OFF_TASK_WRITE_BYTES: "task_struct" "ioac.write_bytes",
            OFF_TASK_CANCELLED_WRITE_BYTES: "task_struct" "ioac.cancelled_write_bytes",
            OFF_TASK_MIN_FLT: "task_struct" "min_flt",
            OFF_TASK_MAJ_FLT: "task_struct" "maj_flt",
            OFF_TASK_COMM: "task_struct" "comm",
            OFF_TASK_SIGNAL: "task_struct" "signal",
            OFF_SIGNAL_LIVE: "signal_struct" "live",
            OFF_REQUEST_QUEUE: "request" "q",
            OFF_REQUEST_FLAGS: "request" "cmd_flags",
            OFF_REQUEST_LEN: "request" "__data_len",
            OFF_REQUEST_BIO: "request" "bio",
            OFF_REQUEST_BIOTAIL: "request" "biotail",
            OFF_REQUEST_STARTED: "request" "start_time_ns",
            OFF_QUEUE_DISK: "request_queue" "disk",
            OFF_DISK_MAJOR: "gendisk" "major",
            OFF_DISK_MINOR: "gendisk" "first_minor",
            OFF_DISK_DRIVER: "gendisk" "fops",
            OFF_DISK_BELOW: "gendisk" "slave_bdevs",
            OFF_DRIVER_SUBMIT_BIO: "block_device_operations" "submit_bio",
            OFF_DRIVER_RESERVATIONS: "block_device_operations" "pr_ops",
            OFF_BIO_NEXT: "bio" "bi_next",
            OFF_BIO_BDEV: "bio" "bi_bdev",
            OFF_BIO_FLAGS: "bio" "bi_opf",
            OFF_BIO_BI_FLAGS: "bio" "bi_flags",
            OFF_BIO_STATUS: "bio" "bi_status",
            OFF_BIO_SIZE: "bio" "bi_iter.bi_size",
            OFF_BIO_VECTORS: "bio" "bi_io_vec",
            OFF_BIO_END: "bio" "bi_end_io",
            OFF_BIO_PRIVATE: "bio" "bi_private",
            OFF_IOMAP_DIO_IOCB: "iomap_dio" "iocb",
            OFF_IOMAP_DIO_WAITER: "iomap_dio" "submit.waiter",
            OFF_BLKDEV_DIO_IOCB: "blkdev_dio" "iocb",
            OFF_BLKDEV_DIO_FLAGS: "blkdev_dio" "flags",
            OFF_BLKDEV_DIO_BIO: "blkdev_dio" "bio",
            OFF_DIO_IOCB: "dio" "iocb",
            OFF_DIO_WAITER: "dio" "waiter",
            OFF_COMPLETION_FIRST: "completion" "wait.task_list.next",
            OFF_SWAIT_LIST: "swait_queue" "task_list",
            OFF_SWAIT_TASK: "swait_queue" "task",
            OFF_IOCB_FILE: "kiocb" "ki_filp",
            OFF_IOCB_END: "kiocb" "ki_complete",
            OFF_LOOP_IOCB: "loop_cmd" "iocb",
            OFF_WORKER_THREAD: "task_struct" "worker_private",
            OFF_WORKER_DATA: "kthread" "data",
            OFF_WORKER_FUNCTION: "worker" "current_func",
            OFF_WORKER_WORK: "worker" "current_work",
            OFF_WORKER_ROOT_WORK: "loop_device" "rootcg_work",
            OFF_WORKER_LOOP_WORK: "loop_worker" "work",
            OFF_WORKER_LOOP: "loop_worker" "lo",
            OFF_WORKER_DISK: "loop_device" "lo_disk",
            OFF_DM_CLONE: "dm_target_io" "clone",
            OFF_DM_IO: "dm_target_io" "io",
            OFF_DM_BIO: "dm_io" "orig_bio",
            OFF_CRYPT_BIO: "dm_crypt_io" "base_bio",
            OFF_MD_BIO: "md_io_clone|md_io_acct" "orig_bio",
            OFF_R1_BIO: "r1bio" "master_bio",
            OFF_R10_BIO: "r10bio" "master_bio",
            OFF_BTRFS_BIO: "btrfs_bio" "bio",
            OFF_BTRFS_BIO_END: "btrfs_bio" "end_io",
            OFF_BTRFS_BIO_PRIVATE: "btrfs_bio" "private",
            OFF_BTRFS_BIO_INODE: "btrfs_bio" "inode",
            OFF_BTRFS_INODE: "btrfs_inode" "vfs_inode",
            OFF_BTRFS_ROOT: "btrfs_inode" "root",
            OFF_BTRFS_ROOT_ID: "btrfs_root" "root_key.objectid",
            OFF_OVERLAY_INODE: "ovl_inode" "vfs_inode",
            OFF_OVERLAY_UPPER: "ovl_inode" "__upperdentry",
            OFF_OVERLAY_LOWER: "ovl_inode" "oe",
            OFF_OVERLAY_LAYERS: "ovl_entry" "__numlower",
            OFF_OVERLAY_STACK: "ovl_entry" "__lowerstack",
            OFF_OVERLAY_ENTRY: "ovl_path" "dentry",
            OFF_OVERLAY_LAYER: "ovl_path" "layer",
            OFF_OVERLAY_FIRST_LAYER: "ovl_inode" "lowerpath.layer",
            OFF_OVERLAY_FILE_SYSTEM: "ovl_layer" "fsid",
            OFF_BIO_INDEX: "bio" "bi_iter.bi_idx",
            OFF_VECTOR_PAGE: "bio_vec" "bv_page",
            OFF_PAGE_HEAD: "page" "compound_head|compound_info",
            OFF_PAGE_MAPPING: "page" "mapping",
            OFF_FOLIO_FLAGS: "folio" "flags",
            OFF_FOLIO_MAPPING: "folio" "mapping",
            OFF_FOLIO_INDEX: "folio" "index",
            OFF_FOLIO_FLAGS_1: "folio" "_flags_1",
            OFF_FOLIO_ORDER: "folio" "_folio_order",
            OFF_MAPPING_HOST: "address_space" "host",
            OFF_MAPPING_MARKS: "address_space" "i_pages.xa_flags",
            OFF_MAPPING_PAGES: "address_space" "nrpages",
            OFF_BDEV_INODE: "bdev_inode" "vfs_inode",
            OFF_BDEV_HOLDER: "block_device" "bd_holder",
            OFF_BDEV_DISK: "block_device" "bd_disk",
            OFF_BDEV_DEVICE: "block_device" "bd_dev",
            OFF_INODE_NUMBER: "inode" "i_ino",
            OFF_INODE_GENERATION: "inode" "i_generation",
            OFF_INODE_MODE: "inode" "i_mode",
            OFF_INODE_MAPPING: "inode" "i_mapping",
            OFF_INODE_SB: "inode" "i_sb",
            OFF_INODE_SIZE: "inode" "i_size",
            OFF_TASK_FILES: "task_struct" "files",
            OFF_FILES_FDT: "files_struct" "fdt",
            OFF_FILES_SLOTS: "files_struct" "fd_array",
            OFF_FDT_MAX: "fdtable" "max_fds",
            OFF_FDT_FD: "fdtable" "fd",
            OFF_FILE_INODE: "file" "f_inode",
            OFF_FILE_FLAGS: "file" "f_flags",
            OFF_FILE_POS: "file" "f_pos",
            OFF_FILE_DENTRY: "file" "f_path.dentry",
            OFF_FILE_MNT: "file" "f_path.mnt",
            OFF_DENTRY_INODE: "dentry" "d_inode",
            OFF_DENTRY_PARENT: "dentry" "d_parent",
            OFF_DENTRY_NAME: "dentry" "d_name.name",
            OFF_DENTRY_SB: "dentry" "d_sb",
            OFF_DENTRY_ALIAS: "dentry" "d_u.d_alias|d_alias",
            OFF_DENTRY_HASHED: "dentry" "d_hash.pprev",
            OFF_INODE_ALIASES: "inode" "i_dentry.first",
            OFF_MOUNT_PARENT: "mount" "mnt_parent",
            OFF_MOUNT_MOUNTPOINT: "mount" "mnt_mountpoint",
            OFF_MOUNT_NAMESPACE: "mount" "mnt_ns",
            OFF_NAMESPACE_NUMBER: "mnt_namespace" "ns.inum",
            OFF_MOUNT_MNT: "mount" "mnt",
            OFF_VFSMOUNT_ROOT: "vfsmount" "mnt_root",
            OFF_SB_ROOT: "super_block" "s_root",
            OFF_SB_DEV: "super_block" "s_dev",
            OFF_SB_MAGIC: "super_block" "s_magic",
            OFF_KIOCB_FILE: "io_kiocb" "file",
            OFF_KIOCB_OPCODE: "io_kiocb" "opcode",
            OFF_KIOCB_FLAGS: "io_kiocb" "flags",
            OFF_KIOCB_RING: "io_kiocb" "ctx",
            OFF_RING_TAKEN: "io_ring_ctx" "cached_sq_head",
            OFF_RING_QUEUES: "io_ring_ctx" "rings",
            OFF_QUEUES_HEAD: "io_rings" "sq.head",
            OFF_CQE_RES: "io_uring_cqe" "res",
            OFF_CQE_FLAGS: "io_uring_cqe" "flags",
            OFF_CQE_USER_DATA: "io_uring_cqe" "user_data",
            OFF_KIOCB_USER_DATA: "io_kiocb" "cqe.user_data",
            OFF_MESSAGE_FLAGS: "io_sr_msg" "flags",
            OFF_SPLICE_SOURCE: "io_splice" "splice_fd_in",
            OFF_SPLICE_FLAGS: "io_splice" "flags",
            OFF_RING_FILES: "io_ring_ctx" "file_table.data.nodes|file_table.files",
            OFF_RING_FILE_COUNT: "io_ring_ctx" "file_table.data.nr|nr_user_files",
            OFF_NODE_FILE: "io_rsrc_node" "file_ptr",
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

/// A structure that the probes take an address for. A constant that is set at load has the number of its type in the
/// kernel's BTF: 0 where the kernel has no `bpf_rdonly_cast`, as before 6.2, or no such type.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    /// The symbol of the constant in the object.
    pub symbol: &'static str,
    /// The structure.
    pub structure: &'static str,
}

/// Hands the list of types to the macro named.
#[macro_export]
macro_rules! kernel_types {
    ($with:ident) => {
        $with! {
            TYPE_BTRFS: "btrfs_inode",
            TYPE_FILES: "files_struct",
            TYPE_INODE: "inode",
            TYPE_OVERLAY: "ovl_inode",
        }
    };
}

macro_rules! types {
    ($($symbol:ident: $structure:literal),* $(,)?) => {
        /// Every structure that the probes take an address for.
        pub const TYPES: &[Type] = &[
            $(Type { symbol: stringify!($symbol), structure: $structure }),*
        ];
    };
}
kernel_types!(types);

/// The constants that hold where in `struct pt_regs` the number of a system call stands at its exit, and the first to the
/// sixth argument at its entry and exit, of a call by its own interface and by the 32-bit one; which register that is depends
/// on the architecture, so user space names them.
pub const REGISTERS: [&str; 13] = [
    "OFF_NUMBER",
    "OFF_ARG0",
    "OFF_ARG1",
    "OFF_ARG2",
    "OFF_ARG3",
    "OFF_ARG4",
    "OFF_ARG5",
    "OFF_COMPAT_ARG0",
    "OFF_COMPAT_ARG1",
    "OFF_COMPAT_ARG2",
    "OFF_COMPAT_ARG3",
    "OFF_COMPAT_ARG4",
    "OFF_COMPAT_ARG5",
];
