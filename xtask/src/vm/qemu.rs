//! One boot of a virtual machine.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::configurations::Configuration;
use crate::error::{Error, Result};
use crate::process;

/// What the guest's disk is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Disk {
    /// virtio-blk.
    Virtio,
    /// NVMe, with a queue for each CPU.
    Nvme,
}

impl Disk {
    const fn device(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-blk-pci,drive=root,num-queues=2",
            Self::Nvme => "nvme,drive=root,serial=root,max_ioqpairs=2",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Virtio => "/dev/vda",
            Self::Nvme => "/dev/nvme0n1",
        }
    }
}

/// What is booted.
pub struct Machine<'a> {
    /// The kernel, an ELF file.
    pub vmlinux: &'a Path,
    /// The archive it starts with.
    pub initramfs: &'a Path,
    /// The root file system.
    pub disk: &'a Path,
    /// What that is behind.
    pub behind: Disk,
    /// How it differs from a plain one.
    pub configuration: &'a Configuration,
    /// How long it may take.
    pub seconds: u64,
    /// Where its two serial lines go: the kernel's log, and what the tests say.
    pub logs: &'a Path,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest's own status; 0 is success.
    Status(i32),
    /// It did not end in time.
    TimedOut,
    /// It ended without a word, as after a panic.
    Died,
}

impl fmt::Display for Outcome {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(0) => write!(to, "ok"),
            Self::Status(status) => write!(to, "failed {status}"),
            Self::TimedOut => write!(to, "timed out"),
            Self::Died => write!(to, "died"),
        }
    }
}

impl Machine<'_> {
    /// Boots it and waits until it has gone.
    pub fn run(&self) -> Result<(Outcome, u64)> {
        let (console, said) = (self.logs.join("console"), self.logs.join("said"));
        let began = Instant::now();
        let mut qemu = Command::new("timeout");
        qemu.args(["--kill-after=5", &self.seconds.to_string()])
            .arg("qemu-system-x86_64")
            .args(["-nodefaults", "-no-user-config", "-no-reboot"])
            .args(["-display", "none", "-rtc", "base=utc"])
            .args(["-smp", "2", "-m", "3072"])
            .args(accelerator())
            .args(["-serial", &format!("file:{}", console.display())])
            .args(["-serial", &format!("file:{}", said.display())])
            .arg("-kernel")
            .arg(self.vmlinux)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", &self.append()])
            .args(["-drive", &self.drive()])
            .args(["-device", self.behind.device()])
            .args(self.configuration.devices)
            .stdin(Stdio::null());
        let command = process::describe(&qemu);
        let ended = qemu
            .status()
            .map_err(|source| Error::Start { command, source })?;
        let text = fs::read(&said).map_err(Error::file("read", &said))?;
        let outcome = match status(&String::from_utf8_lossy(&text)) {
            Some(status) => Outcome::Status(status),
            // timeout(1) says so.
            None if matches!(ended.code(), Some(124 | 137)) => Outcome::TimedOut,
            None => Outcome::Died,
        };
        Ok((outcome, began.elapsed().as_secs()))
    }

    /// The kernel's command line.
    fn append(&self) -> String {
        // Emulated, the clock of a CPU is as good as any, but 6.1 thinks otherwise and takes one that is slow to read.
        format!(
            "console=ttyS0,115200 loglevel=7 panic=-1 oops=panic softlockup_panic=1 watchdog_thresh=30 \
             no_timer_check tsc=reliable {} random.trust_cpu=on ioprof.root={} {}",
            clock(),
            self.behind.file(),
            self.configuration.command_line
        )
    }

    fn drive(&self) -> String {
        format!(
            "file={},if=none,id=root,format=raw,cache=unsafe,discard=unmap",
            self.disk.display()
        )
    }
}

/// KVM where the CPU has it: a device file alone does not say so.
fn accelerator() -> [&'static str; 6] {
    let has_kvm = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| {
        text.split_whitespace()
            .any(|word| word == "vmx" || word == "svm")
    });
    if has_kvm && Path::new("/dev/kvm").exists() {
        ["-machine", "q35", "-accel", "kvm", "-cpu", "host"]
    } else {
        // One thread takes turns for all CPUs: with one for each, a guest that changes the code another CPU executes, as
        // Linux does where it switches the statistics of BPF programs on, hangs in QEMU 7.2. Without a fifth level
        // of page tables each walk is shorter.
        let accelerator = "tcg,thread=single,tb-size=512";
        [
            "-machine",
            "q35",
            "-accel",
            accelerator,
            "-cpu",
            "max,la57=off",
        ]
    }
}

/// An emulated guest counts the host's ticks, and finds out in a few milliseconds how long one takes: wrong by half where
/// others use the CPU meanwhile. So it is told.
#[cfg(target_arch = "x86_64")]
fn clock() -> String {
    /// How long the host's ticks are counted.
    const SPAN: Duration = Duration::from_millis(200);
    let ticks = || {
        // SAFETY: every x86-64 has the instruction.
        #[allow(unused_unsafe, reason = "later compilers know that it is safe")]
        unsafe {
            std::arch::x86_64::_rdtsc()
        }
    };
    let (began, first) = (Instant::now(), ticks());
    std::thread::sleep(SPAN);
    let (lasted, last) = (began.elapsed(), ticks());
    let khz = u128::from(last - first) * 1_000_000 / lasted.as_nanos().max(1);
    format!("tsc_early_khz={khz}")
}

/// Other CPUs cannot run these kernels.
#[cfg(not(target_arch = "x86_64"))]
fn clock() -> String {
    String::new()
}

/// The status that the guest has written last.
fn status(said: &str) -> Option<i32> {
    said.lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("STATUS=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_what_the_guest_said_last() {
        assert_eq!(status("guest: up\nSTATUS=0\n"), Some(0));
        assert_eq!(status("STATUS=0\nSTATUS=101\r\n"), Some(101));
        assert_eq!(status("guest: up\n"), None);
    }
}
