//! The running kernel's BTF: offsets of fields, values of flags, and tracepoints.

use std::{fs, iter, path::Path};

use aya::{
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported},
};
use btf_rs::{Btf, Type};
use ioprof_ebpf::abi::{
    fields::{ABSENT, FIELDS, REGISTERS, TYPES},
    names,
};

use super::{
    error::one_line,
    object::Preemption,
    structures::{self, enumerator, number, offset, parse, size},
};
use crate::{error::Error, kernel::system::machine};

/// The kernel's BTF.
pub const PATH: &str = "/sys/kernel/btf/vmlinux";

/// The first kernel with all that the probes require.
const OLDEST: (u32, u32) = (5, 15);

/// The registers that hold the number of a system call and its first to sixth argument, and those of one by the 32-bit
/// interface, as fields of `struct pt_regs`; syscall(2) lists them by architecture.
#[cfg(target_arch = "x86_64")]
const CALL_REGISTERS: [&str; 13] = [
    "orig_ax", "di", "si", "dx", "r10", "r8", "r9", "bx", "cx", "dx", "si", "di", "bp",
];

/// What the symbols of fields begin with that not every architecture or configuration has. The probes ask before they read
/// them, or cannot be attached without them.
const OPTIONAL: [&str; 28] = [
    "OFF_BLKDEV_DIO_",
    "OFF_BTRFS_",
    "OFF_CQE_",
    "OFF_CRYPT_",
    "OFF_DIO_",
    "OFF_DISK_BELOW",
    "OFF_DM_",
    "OFF_FOLIO_FLAGS",
    "OFF_FOLIO_MAPPING",
    "OFF_FOLIO_ORDER",
    "OFF_IOMAP_DIO_",
    "OFF_KIOCB_",
    "OFF_LOOP_",
    "OFF_MD_",
    "OFF_MESSAGE_FLAGS",
    "OFF_NODE_FILE",
    "OFF_OVERLAY_",
    "OFF_QUEUES_HEAD",
    "OFF_R10_",
    "OFF_R1_",
    "OFF_RING_FILE",
    "OFF_RING_QUEUES",
    "OFF_RING_TAKEN",
    "OFF_SPLICE_",
    "OFF_TASK_RINGS",
    "OFF_TASK_SECCOMP",
    "OFF_TASK_STATUS",
    "OFF_WORKER_",
];

/// Tracepoints whose arguments have changed, with the place of the request among them, after the first that
/// all have. Kernels before 6.0 pass it without its type, or not at all.
const REQUEST_ARGUMENTS: [(&str, usize); 5] = [
    ("io_uring_queue_async_work", 0),
    ("io_uring_poll_arm", 0),
    ("io_uring_req_failed", 1),
    ("io_uring_submit_req", 0),
    ("io_uring_submit_sqe", 0),
];
const URING_COMPLETE: &str = "io_uring_complete";
const THROTTLE: &str = "balance_dirty_pages";

/// The functions that end bios and operations of direct I/O, with the constant of each and how those of the structure begin that these are in,
/// or point to. Behind a bar stands what other kernels call the function.
const ENDS: [(&str, &str, &str); 20] = [
    (names::BTRFS_END, "btrfs_simple_end_io", "OFF_BTRFS"),
    (names::BTRFS_DIO_END, "btrfs_dio_end_io", "OFF_BTRFS"),
    (names::CHAIN_END, "bio_chain_endio", "OFF_BIO"),
    (names::WAIT_END, "submit_bio_wait_endio", "OFF_COMPLETION"),
    (names::LAST_WAIT_END, "bio_wait_end_io", "OFF_COMPLETION"),
    (names::IOMAP_END, "iomap_dio_bio_end_io", "OFF_IOMAP_DIO"),
    (names::BLKDEV_END, "blkdev_bio_end_io", "OFF_BLKDEV_DIO"),
    (
        names::BLKDEV_ASYNC_END,
        "blkdev_bio_end_io_async",
        "OFF_BLKDEV_DIO",
    ),
    (names::DIO_AIO_END, "dio_bio_end_aio", "OFF_DIO"),
    (names::DIO_END, "dio_bio_end_io", "OFF_DIO"),
    (names::DM_END, "clone_endio", "OFF_DM"),
    (names::CRYPT_END, "crypt_endio", "OFF_CRYPT"),
    (names::LOOP_END, "lo_rw_aio_complete", "OFF_LOOP"),
    (names::LOOP_ROOT_WORK, "loop_rootcg_workfn", "OFF_WORKER_"),
    (names::LOOP_WORK, "loop_workfn", "OFF_WORKER_"),
    (names::MD_END, "md_end_clone_io|md_end_io_acct", "OFF_MD_"),
    (names::R1_READ_END, "raid1_end_read_request", "OFF_R1_"),
    (names::R1_WRITE_END, "raid1_end_write_request", "OFF_R1_"),
    (names::R10_READ_END, "raid10_end_read_request", "OFF_R10_"),
    (names::R10_WRITE_END, "raid10_end_write_request", "OFF_R10_"),
];

/// Flags that the probes must know, by their enumeration and the name of the bit in it.
const FLAGS: [(&str, &str, &str); 6] = [
    (names::REQ_PREFLUSH, "req_flag_bits", "__REQ_PREFLUSH"),
    (names::REQ_META, "req_flag_bits", "__REQ_META"),
    (names::REQ_IDLE, "req_flag_bits", "__REQ_IDLE"),
    (names::FOLIO_IS_LARGE, "pageflags", "PG_head"),
    (names::PAGE_IN_SWAP_CACHE, "pageflags", "PG_swapcache"),
    (names::PAGE_SWAP_BACKED, "pageflags", "PG_swapbacked"),
];

/// What the probes need to know before they are loaded.
pub struct KernelTypes {
    /// Symbol of a constant, and its value.
    pub constants: Vec<(&'static str, u32)>,
    /// Whether probes may read the kernel's memory by address.
    pub may_read: bool,
    /// The number of the kernel's `bpf_rdonly_cast`, where it has one and memory may be read.
    pub cast: Option<i32>,
    /// What keeps the kernel from preempting programs; none where it does not.
    pub preemption: Option<Preemption>,
    btf: Btf,
}

impl KernelTypes {
    /// The types of the running kernel.
    ///
    /// # Errors
    ///
    /// As for [`KernelTypes::read`].
    pub fn of_this_kernel() -> Result<Self, Error> {
        Self::read(Path::new(PATH))
    }

    /// The same in aya's form. It takes 20 MB: drop it soon.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where they are not what is expected.
    pub fn as_aya_reads_them() -> Result<aya::Btf, Error> {
        aya::Btf::from_sys_fs().map_err(|error| Error::Btf {
            reason: one_line(&error),
        })
    }

    /// Reads the BTF at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::NoBtf`] where there is none, [`Error::Btf`] where it is not what is expected.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Err(Error::NoBtf {
                path: path.to_owned(),
            });
        }
        let btf = parse(path).map_err(refused)?;
        let modules = structures::modules(path, &btf);
        let missing = |structure: &str, path: &str| match old_kernel() {
            Some(release) => Error::OldKernel { release },
            None => Error::Btf {
                reason: format!("{structure} has no {path}"),
            },
        };
        let required = |name, path| offset(&btf, name, path).ok_or_else(|| missing(name, path));
        let mut constants = Vec::new();
        let is_optional = |symbol: &str| OPTIONAL.iter().any(|begins| symbol.starts_with(begins));
        for field in FIELDS {
            let found = iter::once(&btf)
                .chain(&modules)
                .find_map(|btf| offset(btf, field.structure, field.path));
            let found = match found {
                Some(bits) => bits / 8,
                None if is_optional(field.symbol) => ABSENT,
                None => return Err(missing(field.structure, field.path)),
            };
            constants.push((field.symbol, found));
        }
        for (symbol, register) in REGISTERS.into_iter().zip(CALL_REGISTERS) {
            constants.push((symbol, required("pt_regs", register)? / 8));
        }
        let bits = required("task_struct", "in_iowait")?;
        constants.push((names::IN_IOWAIT, 1 << (bits % 8)));
        constants.push((names::O_DIRECT, libc::O_DIRECT.cast_unsigned()));
        for (symbol, flags, name) in FLAGS {
            let bit = enumerator(&btf, flags, name).ok_or_else(|| missing(flags, name))?;
            constants.push((symbol, 1 << bit));
        }
        let request = size(&btf, "request").ok_or_else(|| missing("request", "size"))?;
        constants.push((names::REQUEST_BYTES, request));
        let may_read = may_read_memory();
        let mut types = Self {
            constants,
            may_read,
            cast: may_read.then(|| cast(&btf)).flatten(),
            preemption: preemption(&btf),
            btf,
        };
        for named in TYPES {
            let found = types.cast.and_then(|_| number(&types.btf, named.structure));
            types.constants.push((named.symbol, found.unwrap_or(0)));
        }
        let by_cqe = types.completes_by_cqe();
        let by_domain = types.arguments(THROTTLE).len() == 8;
        types.constants.extend([
            (names::COMPLETE_BY_CQE, by_cqe.into()),
            (names::THROTTLE_BY_DOMAIN, by_domain.into()),
        ]);
        types.constants.push((names::MAY_READ, may_read.into()));
        Ok(types)
    }

    /// For each function that ends bios, or operations of direct I/O, in a structure that the probes look at, its constant and the lower half of its
    /// address; 0 where that or the structure is not known, as where it is of a module that is loaded later.
    pub fn ends(&self) -> [(&'static str, u32); ENDS.len()] {
        let is_known = |structure: &str| {
            let mut offsets = self.constants.iter();
            !offsets.any(|(symbol, offset)| symbol.starts_with(structure) && *offset == ABSENT)
        };
        let known = ENDS.iter().filter(|(.., structure)| is_known(structure));
        let addresses =
            machine::kernel_symbols(known.flat_map(|(_, functions, _)| functions.split('|')));
        ENDS.map(|(constant, functions, _)| {
            let address = functions.split('|').find_map(|name| addresses.get(name));
            (constant, address.map_or(0, |address| *address as u32))
        })
    }

    /// Whether the tracepoint of completions passes the completion queue entry, rather than its fields.
    pub fn completes_by_cqe(&self) -> bool {
        self.arguments(URING_COMPLETE).len() == 3
    }

    /// Whether the kernel has the tracepoint: BTF has a typedef `btf_trace_NAME` for each that can be
    /// attached to.
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.btf
            .resolve_ids_by_name(&format!("btf_trace_{name}"))
            .is_ok_and(|found| !found.is_empty())
    }

    /// Whether the probe of a tracepoint knows its arguments.
    pub fn has_arguments(&self, tracepoint: &str) -> bool {
        let arguments = self.arguments(tracepoint);
        if tracepoint == URING_COMPLETE {
            // The ring, the request and the completion; or the completion's parts, of which there are five.
            return matches!(arguments.len(), 3 | 7);
        }
        if tracepoint == THROTTLE {
            // With the figures of a domain as one, or one by one.
            return matches!(arguments.len(), 8 | 12);
        }
        REQUEST_ARGUMENTS
            .iter()
            .find(|(name, _)| *name == tracepoint)
            .is_none_or(|(_, at)| arguments.get(*at).is_some_and(|name| name == "io_kiocb"))
    }

    /// What the arguments of a tracepoint point to: the names of structures, empty for other types. The
    /// first, which no tracepoint passes on to its probes, is left out.
    fn arguments(&self, tracepoint: &str) -> Vec<String> {
        let name = format!("btf_trace_{tracepoint}");
        let found = self.btf.resolve_types_by_name(&name).unwrap_or_default();
        let prototype = found.into_iter().find_map(|found| match found {
            Type::Typedef(name) => match self.btf.resolve_chained_type(&name).ok()? {
                Type::Ptr(pointer) => match self.btf.resolve_chained_type(&pointer).ok()? {
                    Type::FuncProto(prototype) => Some(prototype),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        });
        let parameters = prototype.map_or_else(Vec::new, |prototype| prototype.parameters);
        let structure = |parameter| match self.btf.resolve_chained_type(parameter).ok()? {
            Type::Ptr(pointer) => match self.btf.resolve_chained_type(&pointer).ok()? {
                Type::Struct(structure) => self.btf.resolve_name(&structure).ok(),
                _ => None,
            },
            _ => None,
        };
        parameters
            .iter()
            .skip(1)
            .map(|parameter| structure(parameter).unwrap_or_default())
            .collect()
    }
}

/// Whether programs may read the kernel's memory by address: a kernel that is locked down for confidentiality
/// (kernel_lockdown(7)) lacks the helper for it. Where this is uncertain, the verifier decides.
fn may_read_memory() -> bool {
    is_helper_supported(
        ProgramType::RawTracePoint,
        BpfHelper::BPF_FUNC_probe_read_kernel,
    )
    .unwrap_or(true)
}

/// The number of the function that gives an address a type, which kernels have from 6.2 on.
fn cast(btf: &Btf) -> Option<i32> {
    function(btf, "bpf_rdonly_cast")
}

/// The functions that keep the kernel from preempting a program, where it may do so: where what guards a tracepoint is
/// SRCU, whose guard for tracing has its type in BTF, and not that preemption is off (include/linux/tracepoint.h).
fn preemption(btf: &Btf) -> Option<Preemption> {
    let guard = btf.resolve_ids_by_name("class_srcu_fast_notrace_t").ok()?;
    if guard.is_empty() {
        return None;
    }
    Some(Preemption {
        disable: function(btf, "bpf_preempt_disable")?,
        enable: function(btf, "bpf_preempt_enable")?,
    })
}

/// The number of a function of the kernel, if it has it and programs can call it, which takes the compiler for them.
fn function(btf: &Btf, name: &str) -> Option<i32> {
    let compiler = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable");
    if compiler.is_ok_and(|is_on| is_on.trim() == "0") {
        return None;
    }
    let found = btf.resolve_ids_by_name(name).ok()?;
    let is_function = |id: &u32| matches!(btf.resolve_type_by_id(*id), Ok(Type::Func(_)));
    found.into_iter().find(is_function)?.try_into().ok()
}

/// The release of the running kernel, where it is older than those that the probes are written for.
fn old_kernel() -> Option<String> {
    let uname = nix::sys::utsname::uname().ok()?;
    let release = uname.release().to_str()?;
    is_old(release).then(|| release.to_owned())
}

fn is_old(release: &str) -> bool {
    let mut numbers = release.split(['.', '-', '+']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST,
        _ => false,
    }
}

fn refused(error: btf_rs::Error) -> Error {
    Error::Btf {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_before_5_15_are_old() {
        for old in ["5.10.0-32-cloud-amd64", "4.19.0", "5.14+"] {
            assert!(is_old(old), "{old}");
        }
        for new in ["5.15.0-1", "6.1.0-56-cloud-amd64", "7.3.4+deb13", "unknown"] {
            assert!(!is_old(new), "{new}");
        }
    }

    #[test]
    fn what_is_no_btf_is_refused_with_a_reason() {
        let missing = KernelTypes::read(Path::new("/nonexistent"));
        assert!(matches!(missing, Err(Error::NoBtf { .. })));
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), b"not BTF at all, but longer than a header").expect("written");
        let wrong = KernelTypes::read(file.path());
        assert!(matches!(wrong, Err(Error::Btf { .. })));
    }
}
