//! Processes, by /proc and pidfd_open(2).

use std::{
    fs, io,
    os::{
        fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    ptr,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{error::Error, text::Text};

/// A process to attach to.
#[derive(Debug)]
pub struct Process {
    /// Its number, which may be another's once it is gone.
    pub pid: i32,
    /// What stands for it and no other.
    pub descriptor: OwnedFd,
    /// Its command line.
    pub argv: Vec<Text>,
    /// Its name.
    pub name: Text,
    /// The file that it executes, by the numbers of its device and inode; none where that may not be asked.
    pub program: Option<(u64, u64)>,
}

/// Reads what the report needs of a process to attach to.
///
/// # Errors
///
/// Where there is none, or it is a kernel thread, a thread of another process, or a zombie.
pub fn process(pid: i32) -> Result<Process, Error> {
    // First: what is read by the number while the process is there is of this one.
    let descriptor = pidfd_open(pid)?;
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}"));
    let status = file("status").map_err(|_| Error::NoProcess { pid })?;
    let status = Status::parse(&status);
    // Its name in the status is escaped.
    let name = file("comm").unwrap_or_default();
    let name = Text::of_bytes(name.strip_suffix(b"\n").unwrap_or(&name));
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
    let program = fs::metadata(format!("/proc/{pid}/exe"));
    let program = program.map(|file| (file.dev(), file.ino())).ok();
    if !is_there(&descriptor) {
        return Err(Error::NoProcess { pid });
    }
    Ok(Process {
        pid,
        descriptor,
        argv,
        name,
        program,
    })
}

impl Process {
    /// The most memory it has had resident, in bytes; none where it has ended.
    pub fn max_rss_bytes(&self) -> Option<u64> {
        let status = fs::read(format!("/proc/{}/status", self.pid)).ok()?;
        let bytes = Status::parse(&status).max_rss_bytes?;
        is_there(&self.descriptor).then_some(bytes)
    }
}

/// Whether a process is there, be it as a zombie: as long as it is, no other has its number.
fn is_there(process: &OwnedFd) -> bool {
    let (no_signal, no_information, no_flags) = (0, ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: the call takes integers and a null pointer, for which it makes the information itself.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            no_signal,
            no_information,
            no_flags,
        )
    };
    // It may be another user's, who may not be sent any.
    sent == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// The numbers of all processes that /proc shows.
///
/// # Errors
///
/// Where /proc cannot be read.
pub fn numbers() -> io::Result<impl Iterator<Item = i32>> {
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// The words of a command line, each ended by a zero byte. A process may have written any bytes there.
pub fn words(command_line: &[u8]) -> Vec<Text> {
    command_line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(Text::of_bytes)
        .collect()
}

/// The error for a number that is not a process.
pub fn why_not_a_process(pid: i32) -> Error {
    let status = fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    match Status::parse(&status).process {
        Some(process) if process != pid => Error::NotAProcess { pid, process },
        _ => Error::NoProcess { pid },
    }
}

/// A descriptor of a process, by pidfd_open(2).
///
/// # Errors
///
/// [`Error::NoProcess`] and [`Error::NotAProcess`] where the number is that of none or of a thread.
pub fn pidfd_open(pid: i32) -> Result<OwnedFd, Error> {
    // SAFETY: the call takes two integers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    match i32::try_from(descriptor) {
        // SAFETY: the kernel has just created the descriptor for this process.
        Ok(descriptor @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => {
            let source = io::Error::last_os_error();
            Err(match source.raw_os_error() {
                // A thread ID is rejected with ENOENT, before Linux 6.9 with EINVAL.
                Some(libc::ESRCH | libc::EINVAL | libc::ENOENT) => why_not_a_process(pid),
                _ => Error::system("opening the process")(source),
            })
        }
    }
}

/// Whether all threads of a process have ended, by pidfd_open(2).
pub fn has_ended(process: &OwnedFd) -> bool {
    let mut watched = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Waits until the first thread of a process is asleep, as one that waits for ioprof's signal soon is; not at all where
/// it has ended.
///
/// # Errors
///
/// [`Error::NoProcess`] where it is gone.
pub fn wait_until_asleep(pid: i32) -> Result<(), Error> {
    let file = format!("/proc/{pid}/status");
    loop {
        let status = fs::read(&file).map_err(|_| Error::NoProcess { pid })?;
        if !Status::parse(&status).is_running {
            return Ok(());
        }
        std::thread::yield_now();
    }
}

/// The parsed /proc/PID/status; see proc_pid_status(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The process that the thread belongs to.
    pub process: Option<i32>,
    /// Whether it is a kernel thread.
    pub is_of_kernel: bool,
    /// Whether it is on a CPU or waits for one.
    pub is_running: bool,
    /// Whether it is a zombie: it has ended with all its threads, and its parent has not waited for it.
    pub has_ended: bool,
    /// The most memory that it has had resident.
    pub max_rss_bytes: Option<u64>,
}

impl Status {
    /// Parses the file. The name in it may have any bytes, but no line end.
    pub fn parse(status: &[u8]) -> Self {
        let field = |key: &[u8]| {
            let mut lines = status.split(|byte| *byte == b'\n');
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(b":"))?;
            Some(str::from_utf8(value).ok()?.trim())
        };
        let kib = field(b"VmHWM").and_then(|value| value.strip_suffix("kB")?.trim().parse().ok());
        let is_in_state = |letter| field(b"State").is_some_and(|state| state.starts_with(letter));
        let is_zombie = is_in_state('Z');
        // Neither kernel threads nor zombies have memory of their own.
        let has_memory = is_zombie || field(b"VmSize").is_some();
        Self {
            process: field(b"Tgid").and_then(|number| number.parse().ok()),
            is_of_kernel: !has_memory && field(b"Kthread") != Some("0"),
            is_running: is_in_state('R'),
            has_ended: is_zombie && field(b"Threads") == Some("1"),
            max_rss_bytes: kib.map(|kib: u64| kib.saturating_mul(1024)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_whatever_the_name_is() {
        let text =
            b"Name:\t\xff\x1b[31m\nUmask:\t0022\nTgid:\t77\nVmHWM:\t    12 kB\nKthread:\t0\n";
        let expected = Status {
            process: Some(77),
            is_of_kernel: false,
            is_running: false,
            has_ended: false,
            max_rss_bytes: Some(12 * 1024),
        };
        assert_eq!(Status::parse(text), expected);
        let absurd = Status::parse(b"VmHWM: 18446744073709551615 kB");
        assert_eq!(absurd.max_rss_bytes, Some(u64::MAX));
        assert!(absurd.is_of_kernel && absurd.process.is_none());
        assert_eq!(words(b"a\0\xff\0\0b"), ["a", r"\xff", "b"]);
    }

    #[test]
    fn a_process_is_told_from_a_thread_of_the_kernel_and_from_none() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        assert!(!process(own).expect("this process").argv.is_empty());
        assert!(matches!(process(i32::MAX), Err(Error::NoProcess { .. })));
        // kthreadd has PID 2, except in containers.
        if fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd") {
            assert!(matches!(process(2), Err(Error::KernelThread { .. })));
        }
    }
}
