//! The resources of the process: CPU time, memory, descriptors.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

/// Descriptors that stay free for what the process opens besides the workload's files: the terminal, rings, timers,
/// /proc, and what a library may need.
const RESERVED_DESCRIPTORS: u64 = 16;

/// CPU time of all threads of the process, the ended ones and io_uring's workers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In user mode.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
}

impl CpuTime {
    /// Until now.
    pub fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            // Only EFAULT and EINVAL are possible, neither with these arguments (getrusage(2)).
            return Self::default();
        };
        let nanoseconds = |time: nix::sys::time::TimeVal| {
            u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000
                + u64::try_from(time.tv_usec()).unwrap_or(0) * 1_000
        };
        Self {
            user_ns: nanoseconds(usage.user_time()),
            system_ns: nanoseconds(usage.system_time()),
        }
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user_ns: self.user_ns.saturating_sub(earlier.user_ns),
            system_ns: self.system_ns.saturating_sub(earlier.system_ns),
        }
    }
}

/// Resets the peak of resident memory; returns whether the kernel allowed it.
///
/// Writing 5 to /proc/self/clear_refs resets VmHWM (proc_pid_clear_refs(5), since Linux 4.0).
pub fn reset_peak_memory() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The peak of resident memory: VmHWM of /proc/self/status. 0 where /proc is missing.
pub fn peak_memory_bytes() -> u64 {
    status_bytes("VmHWM:")
}

/// Bytes of files that are mapped with huge pages, over all maps of the process (smaps_rollup: FilePmdMapped).
pub fn huge_file_bytes() -> u64 {
    kib_line("/proc/self/smaps_rollup", "FilePmdMapped:")
}

fn status_bytes(key: &str) -> u64 {
    kib_line("/proc/self/status", key)
}

/// The number of a line such as `VmRSS:  123 kB`, in bytes; 0 where there is none.
fn kib_line(path: &str, key: &str) -> u64 {
    let status = fs::read_to_string(path).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The descriptors that are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptors(BTreeSet<i32>);

impl Descriptors {
    /// Those open now. The descriptor of the listing itself may be among them or not, so it is left out.
    pub fn now() -> Self {
        let mut open = BTreeSet::new();
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            for entry in entries.flatten() {
                let Some(number) = entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok())
                else {
                    continue;
                };
                open.insert(number);
            }
        }
        // The listing's descriptor is closed by now; everything else that was seen still is open, single-threaded as this is.
        open.retain(|number| fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok());
        Self(open)
    }

    /// How many are open that were not `before`.
    pub fn leaked_since(&self, before: &Self) -> u64 {
        self.0.difference(&before.0).count() as u64
    }

    /// How many are open.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

/// The soft limit of open files, and how many of them the workload may use.
pub fn descriptor_budget() -> (u64, u64) {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    let left = limit
        .saturating_sub(Descriptors::now().count())
        .saturating_sub(RESERVED_DESCRIPTORS);
    (limit, left)
}

/// CPUs the process may run on.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Whether the process runs as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_seen_and_a_closed_one_is_not() {
        let before = Descriptors::now();
        let file = fs::File::open("/dev/null").expect("/dev/null opens");
        // Other tests of this process open files too, so only what must be there is asserted.
        assert!(Descriptors::now().leaked_since(&before) >= 1);
        drop(file);
    }

    #[test]
    fn memory_is_known() {
        assert!(peak_memory_bytes() > 1 << 16);
        assert_eq!(huge_file_bytes() % 4096, 0);
    }
}
