//! What /proc and /sys say of processes and devices.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
};

use nix::unistd::{SysconfVar, sysconf};

use super::stack::Stack;
use crate::{
    error::Error,
    model::{sum::sum, text},
};

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
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}"));
    let status = file("status").map_err(|_| Error::NoProcess { pid })?;
    let status = Status::parse(&status);
    // Its name in the status is escaped.
    let name = file("comm").unwrap_or_default();
    let name = text::of_bytes(name.strip_suffix(b"\n").unwrap_or(&name));
    if status.process.is_some_and(|process| process != pid) {
        return Err(why_not_a_process(pid));
    }
    if status.has_ended {
        return Err(Error::Ended { pid });
    }
    if status.is_of_kernel {
        return Err(Error::KernelThread { pid, name });
    }
    let argv = words(&file("cmdline").unwrap_or_default());
    Ok(Process { argv, name })
}

/// The words of a command line, each with a zero byte at its end; a process may have written anything there.
pub fn words(command_line: &[u8]) -> Vec<String> {
    command_line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(text::of_bytes)
        .collect()
}

/// Why a number is not that of a process.
pub fn why_not_a_process(pid: i32) -> Error {
    let status = fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    match Status::parse(&status).process {
        Some(process) if process != pid => Error::NotAProcess { pid, process },
        _ => Error::NoProcess { pid },
    }
}

/// The most memory a process has had resident, in bytes.
pub fn max_rss_bytes(pid: i32) -> Option<u64> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    Status::parse(&status).max_rss_bytes
}

/// What is read in /proc/PID/status; proc_pid_status(5) has its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The process that the thread belongs to.
    pub process: Option<i32>,
    /// Whether it is a thread of the kernel.
    pub is_of_kernel: bool,
    /// Whether it has ended, with all its threads, and only waits to be looked after by its parent.
    pub has_ended: bool,
    /// The most memory that it has had resident.
    pub max_rss_bytes: Option<u64>,
}

impl Status {
    /// Reads the file. The name in it may be of any bytes, but not have a line end.
    pub fn parse(status: &[u8]) -> Self {
        let field = |key: &[u8]| {
            let mut lines = status.split(|byte| *byte == b'\n');
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(b":"))?;
            Some(str::from_utf8(value).ok()?.trim())
        };
        let kib = field(b"VmHWM").and_then(|value| value.strip_suffix("kB")?.trim().parse().ok());
        let is_zombie = field(b"State").is_some_and(|state| state.starts_with('Z'));
        // Neither threads of the kernel nor a process that has ended have memory of their own.
        let has_memory = is_zombie || field(b"VmSize").is_some();
        Self {
            process: field(b"Tgid").and_then(|number| number.parse().ok()),
            is_of_kernel: !has_memory && field(b"Kthread") != Some("0"),
            has_ended: is_zombie && field(b"Threads") == Some("1"),
            max_rss_bytes: kib.map(|kib: u64| kib.saturating_mul(1024)),
        }
    }
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

const SECTOR: u64 = 512;

impl DeviceStat {
    /// Reads the file; none where it has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers: Vec<u64> = text
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        let [reads, _, read_sectors, _, writes, _, written_sectors, ..] = numbers[..] else {
            return None;
        };
        Some(Self {
            reads,
            read_bytes: read_sectors.saturating_mul(SECTOR),
            writes,
            written_bytes: written_sectors.saturating_mul(SECTOR),
        })
    }
}

/// Where the kernel shows its devices.
const DEVICES: &str = "/sys/block";

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
    /// What is above it and below, once [`Devices::see_stacks`] has looked.
    pub stack: Stack,
}

impl Devices {
    /// Those of `/sys/block`; none where it is not mounted.
    pub fn now() -> Self {
        let Ok(entries) = fs::read_dir(DEVICES) else {
            return Self::default();
        };
        Self(
            entries
                .flatten()
                .filter_map(|entry| device(&entry.path()))
                .collect(),
        )
    }

    /// Looks at what is above each and below: apart from what the kernel has counted, which is of one moment.
    pub fn see_stacks(&mut self) {
        for device in &mut self.0 {
            device.stack = Stack::of(&Path::new(DEVICES).join(&device.name));
        }
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
        name: text::of(path.file_name()?),
        number: (major.parse().ok()?, minor.parse().ok()?),
        stat: DeviceStat::parse(&fs::read_to_string(path.join("stat")).ok()?)?,
        stack: Stack::default(),
    })
}

/// What interrupts and the hypervisor have taken of all CPUs since boot, in nanoseconds: irq, softirq and steal of
/// proc_stat(5), in ticks of `_SC_CLK_TCK`. None where it is not shown.
pub fn stolen_ns() -> Option<u64> {
    let ticks = stolen_ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    let rate = sysconf(SysconfVar::CLK_TCK).ok()??.cast_unsigned();
    ticks.saturating_mul(1_000_000_000).checked_div(rate)
}

/// Those ticks in /proc/stat; none where it has another form.
pub fn stolen_ticks(text: &str) -> Option<u64> {
    let numbers = text.lines().next()?.strip_prefix("cpu ")?;
    let taken = numbers.split_whitespace().skip(5).take(3);
    Some(sum(taken.map_while(|word| word.parse().ok())))
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
                    .map(|queue| scheduled.saturating_add(number(&queue.path().join("nr_tags"))))
                    .fold(0, u32::saturating_add)
            })
        })
        .fold(0, u32::saturating_add);
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
        assert_eq!(DeviceStat::parse(text), Some(expected));
        assert_eq!(DeviceStat::parse("1 2 3"), None);
        assert_eq!(DeviceStat::parse("1 2 x 4 5 6 7"), None);
    }

    #[test]
    fn the_status_is_read_whatever_the_name_is() {
        let text =
            b"Name:\t\xff\x1b[31m\nUmask:\t0022\nTgid:\t77\nVmHWM:\t    12 kB\nKthread:\t0\n";
        let expected = Status {
            process: Some(77),
            is_of_kernel: false,
            has_ended: false,
            max_rss_bytes: Some(12 * 1024),
        };
        assert_eq!(Status::parse(text), expected);
        let absurd = Status::parse(b"VmHWM: 18446744073709551615 kB");
        assert_eq!(absurd.max_rss_bytes, Some(u64::MAX));
        assert!(absurd.is_of_kernel && absurd.process.is_none());
        assert_eq!(words(b"a\0\xff\0\0b"), ["a", r"\xff", "b"]);
        assert_eq!(stolen_ticks("cpu  1 2 3 4 5 6 7 8 9"), Some(6 + 7 + 8));
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
