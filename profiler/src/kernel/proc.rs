//! What /proc and /sys say of processes and devices.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
};

use nix::unistd::{SysconfVar, sysconf};

use crate::error::Error;

/// What the report tells of a process that was attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its command line.
    pub argv: Vec<String>,
    /// Its name.
    pub name: String,
}

/// Looks at a process that is to be attached to.
///
/// # Errors
///
/// Where there is none, where it is one of the kernel's, or a thread of another.
pub fn process(pid: i32) -> Result<Process, Error> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| Error::NoProcess { pid })?;
    let name = status_field(&status, "Name").unwrap_or_default().to_owned();
    if status_field(&status, "Tgid").is_some_and(|process| process != pid.to_string()) {
        return Err(why_not_a_process(pid));
    }
    // proc_pid_status(5): threads of the kernel have no memory of their own.
    if status_field(&status, "VmSize").is_none() && status_field(&status, "Kthread") != Some("0") {
        return Err(Error::KernelThread { pid, name });
    }
    let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let argv = argv
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    Ok(Process { argv, name })
}

/// Why a number is not that of a process.
pub fn why_not_a_process(pid: i32) -> Error {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    match status_field(&status, "Tgid").and_then(|process| process.parse().ok()) {
        Some(process) if process != pid => Error::NotAProcess { pid, process },
        _ => Error::NoProcess { pid },
    }
}

/// The most memory a process has had resident, in bytes.
pub fn max_rss_bytes(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status_field(&status, "VmHWM")?.strip_suffix("kB")?.trim();
    Some(kib.parse::<u64>().ok()? * 1024)
}

fn status_field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .map(str::trim)
}

/// What the kernel has counted for a device since boot, from /sys/block/DEV/stat
/// (Documentation/block/stat.rst); it counts in sectors of 512 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceStat {
    /// Reads completed.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Writes completed.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

/// The devices of this machine at one moment.
#[derive(Clone, Debug, Default)]
pub struct Devices(Vec<Device>);

/// A device, and what the kernel has counted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name in /sys/block.
    pub name: String,
    /// Its major and minor number.
    pub number: (u32, u32),
    /// What the kernel has counted.
    pub stat: DeviceStat,
}

const SECTOR: u64 = 512;

impl Devices {
    /// Those of `/sys/block`; none where it is not mounted.
    pub fn now() -> Self {
        let Ok(entries) = fs::read_dir("/sys/block") else {
            return Self::default();
        };
        Self(
            entries
                .flatten()
                .filter_map(|entry| device(&entry.path()))
                .collect(),
        )
    }

    /// The device of a number.
    pub fn find(&self, number: (u32, u32)) -> Option<&Device> {
        self.0.iter().find(|device| device.number == number)
    }
}

fn device(path: &Path) -> Option<Device> {
    let number = fs::read_to_string(path.join("dev")).ok()?;
    let (major, minor) = number.trim().split_once(':')?;
    Some(Device {
        name: path.file_name()?.to_string_lossy().into_owned(),
        number: (major.parse().ok()?, minor.parse().ok()?),
        stat: stat(&fs::read_to_string(path.join("stat")).ok()?)?,
    })
}

fn stat(text: &str) -> Option<DeviceStat> {
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [reads, _, read_sectors, _, writes, _, written_sectors, ..] = numbers[..] else {
        return None;
    };
    Some(DeviceStat {
        reads,
        read_bytes: read_sectors * SECTOR,
        writes,
        written_bytes: written_sectors * SECTOR,
    })
}

/// What interrupts and the hypervisor have taken of all CPUs since boot, in nanoseconds: irq, softirq and steal of
/// proc_stat(5), in ticks of `_SC_CLK_TCK`. None where it is not shown.
pub fn stolen_ns() -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let numbers = text.lines().next()?.strip_prefix("cpu ")?;
    let taken = numbers.split_whitespace().skip(5).take(3);
    let ticks: u64 = taken.map_while(|word| word.parse::<u64>().ok()).sum();
    let rate = sysconf(SysconfVar::CLK_TCK).ok()??.cast_unsigned();
    (ticks * 1_000_000_000).checked_div(rate)
}

/// Whether a device has no request in flight, by /sys/dev/block/MAJOR:MINOR/inflight; false where that
/// cannot be known.
pub fn is_idle((major, minor): (u32, u32)) -> bool {
    fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/inflight"))
        .is_ok_and(|text| text.split_whitespace().all(|count| count == "0"))
}

/// The address of a function of the kernel, by /proc/kallsyms; none where it is not there, or not shown.
pub fn kernel_symbol(name: &str) -> Option<u64> {
    let symbols = BufReader::new(fs::File::open("/proc/kallsyms").ok()?);
    symbols.lines().map_while(Result::ok).find_map(|line| {
        let mut words = line.split_whitespace();
        let (address, _, found) = (words.next()?, words.next()?, words.next()?);
        let address = (found == name).then(|| u64::from_str_radix(address, 16).ok())??;
        (address != 0).then_some(address)
    })
}

/// The size of a page.
pub fn page_bytes() -> u32 {
    sysconf(SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|bytes| u32::try_from(bytes).ok())
        .unwrap_or(4096)
}

/// How many disks there are.
pub fn disks() -> u32 {
    fs::read_dir("/sys/block").map_or(0, |entries| entries.count() as u32)
}

/// How many requests can exist at once: the tags of all hardware queues and of their schedulers.
pub fn requests_at_most() -> u32 {
    let number = |path: &Path| -> u32 {
        fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0)
    };
    let Ok(entries) = fs::read_dir("/sys/block") else {
        return MOST_REQUESTS;
    };
    let sum: u32 = entries
        .flatten()
        .map(|entry| {
            let scheduled = number(&entry.path().join("queue/nr_requests"));
            fs::read_dir(entry.path().join("mq")).map_or(0, |queues| {
                queues
                    .flatten()
                    .map(|queue| scheduled + number(&queue.path().join("nr_tags")))
                    .sum()
            })
        })
        .sum();
    // Devices may yet come.
    sum.saturating_mul(2).clamp(4096, MOST_REQUESTS)
}

const MOST_REQUESTS: u32 = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stat_file_is_read_by_its_documented_order() {
        let text = "    4539     2545   764042     2641      395     3379    68736      751        5     1220     3559     2987       61    37824      165        6        0\n";
        let expected = DeviceStat {
            reads: 4539,
            read_bytes: 764_042 * 512,
            writes: 395,
            written_bytes: 68_736 * 512,
        };
        assert_eq!(stat(text), Some(expected));
        assert_eq!(stat("1 2 3"), None);
        assert_eq!(stat("1 2 x 4 5 6 7"), None);
    }

    #[test]
    fn a_process_is_told_from_a_thread_of_the_kernel_and_from_none() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        assert!(!process(own).expect("this process").argv.is_empty());
        assert!(matches!(process(i32::MAX), Err(Error::NoProcess { .. })));
        // kthreadd is 2 wherever the machine is not a container.
        if fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd") {
            assert!(matches!(process(2), Err(Error::KernelThread { .. })));
        }
    }
}
