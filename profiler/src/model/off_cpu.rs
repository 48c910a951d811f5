//! Where the time of a workload's threads went.

use serde::{Deserialize, Serialize};

use super::sum::sum;

/// Time off the CPU, by what was waited for. In nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OffCpu {
    /// Nanoseconds waiting for a device while the request was queued and not yet issued to the driver.
    pub queue_ns: u64,
    /// Nanoseconds waiting for a device while the driver and the device had the request.
    pub service_ns: u64,
    /// Nanoseconds marked by the kernel as waiting for I/O, with no known request for it.
    pub device_ns: u64,
    /// Nanoseconds held back by the kernel because too many pages are dirty.
    pub throttled_ns: u64,
    /// Nanoseconds asleep until a thread of the kernel was done, as one that commits a journal or writes back, while no
    /// request was in flight that it may have waited for.
    pub journal_ns: u64,
    /// Nanoseconds in page faults outside of calls.
    pub fault_ns: u64,
    /// Nanoseconds ready to run, waiting for a CPU.
    pub runnable_ns: u64,
    /// Nanoseconds asleep in an I/O call for another reason, such as a lock or an empty pipe.
    pub sleep_ns: u64,
    /// Nanoseconds asleep in other calls, or stopped.
    pub idle_ns: u64,
    /// Nanoseconds asleep for a reason that is not known.
    pub unknown_ns: u64,
}

impl OffCpu {
    /// Everything.
    pub fn total(&self) -> u64 {
        // A report is untrusted.
        [
            self.queue_ns,
            self.service_ns,
            self.device_ns,
            self.throttled_ns,
            self.journal_ns,
            self.fault_ns,
            self.runnable_ns,
            self.sleep_ns,
            self.idle_ns,
            self.unknown_ns,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            queue_ns: sum([self.queue_ns, other.queue_ns]),
            service_ns: sum([self.service_ns, other.service_ns]),
            device_ns: sum([self.device_ns, other.device_ns]),
            throttled_ns: sum([self.throttled_ns, other.throttled_ns]),
            journal_ns: sum([self.journal_ns, other.journal_ns]),
            fault_ns: sum([self.fault_ns, other.fault_ns]),
            runnable_ns: sum([self.runnable_ns, other.runnable_ns]),
            sleep_ns: sum([self.sleep_ns, other.sleep_ns]),
            idle_ns: sum([self.idle_ns, other.idle_ns]),
            unknown_ns: sum([self.unknown_ns, other.unknown_ns]),
        }
    }
}

/// What the time on a CPU was spent on. In nanoseconds, which add up to `cpu_ns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cpu {
    /// Nanoseconds outside of calls: in user mode, in page faults, and in interrupts meanwhile.
    pub user_ns: u64,
    /// Nanoseconds of the kernel's entry to calls and its exit from them.
    pub entry_exit_ns: u64,
    /// Nanoseconds of the probes of calls.
    pub probes_ns: u64,
    /// Nanoseconds in the calls themselves.
    pub calls_ns: u64,
    /// Nanoseconds of threads of io_uring, which have no user mode: workers, and those that poll a submission queue.
    #[serde(default)]
    pub io_uring_ns: u64,
    /// How many nanoseconds each but `io_uring_ns` may be off, by how exactly the cost of a call could be measured.
    pub error_ns: u64,
}

/// The time of all threads of a workload, from their coming into scope to their end or that of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Time {
    /// Nanoseconds of all threads: those on a CPU, those off it, and the last two add up to this.
    pub thread_ns: u64,
    /// Nanoseconds on a CPU, as the scheduler charged them.
    pub cpu_ns: u64,
    /// Their division; null where it is not known what a call costs that does nothing.
    pub cpu: Option<Cpu>,
    /// Off the CPU.
    #[serde(flatten)]
    pub off_cpu: OffCpu,
    /// Nanoseconds of threads that exit: closing files and giving back memory, on a CPU or not.
    pub exit_ns: u64,
    /// Nanoseconds on a CPU that the scheduler has not charged to the thread, because the hypervisor or an interrupt
    /// took them; at most what these took of all CPUs by /proc/stat.
    pub stolen_ns: u64,
    /// Nanoseconds that are left: on a CPU, but not charged to the thread by the scheduler, for no known reason.
    pub unexplained_ns: u64,
}

impl Cpu {
    fn plus(&self, other: &Self) -> Self {
        Self {
            user_ns: sum([self.user_ns, other.user_ns]),
            entry_exit_ns: sum([self.entry_exit_ns, other.entry_exit_ns]),
            probes_ns: sum([self.probes_ns, other.probes_ns]),
            calls_ns: sum([self.calls_ns, other.calls_ns]),
            io_uring_ns: sum([self.io_uring_ns, other.io_uring_ns]),
            error_ns: sum([self.error_ns, other.error_ns]),
        }
    }
}

impl Time {
    /// That of no thread: a sum begins with it.
    pub fn none() -> Self {
        Self {
            cpu: Some(Cpu::default()),
            ..Self::default()
        }
    }

    /// The sum of both; its division of CPU time is known where both are.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            thread_ns: sum([self.thread_ns, other.thread_ns]),
            cpu_ns: sum([self.cpu_ns, other.cpu_ns]),
            cpu: self.cpu.zip(other.cpu).map(|(one, two)| one.plus(&two)),
            off_cpu: self.off_cpu.plus(&other.off_cpu),
            exit_ns: sum([self.exit_ns, other.exit_ns]),
            stolen_ns: sum([self.stolen_ns, other.stolen_ns]),
            unexplained_ns: sum([self.unexplained_ns, other.unexplained_ns]),
        }
    }
}

/// The time of the calls of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CallTime {
    /// Nanoseconds on a CPU.
    pub cpu_ns: u64,
    /// Off the CPU.
    #[serde(flatten)]
    pub off_cpu: OffCpu,
}
