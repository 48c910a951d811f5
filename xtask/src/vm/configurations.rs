//! Machines other than the plain one, each for the tests that are about it.

/// How a machine differs, and what is tested there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// What it is asked for by, and the name of its tests in `profiler/tests/vm.rs`.
    pub name: &'static str,
    /// More words for the kernel's command line.
    pub command_line: &'static str,
    /// More words for QEMU's.
    pub devices: &'static [&'static str],
    /// Commands for a shell in the guest, before the tests.
    pub before: &'static str,
}

/// The one that differs in nothing.
pub const PLAIN: Configuration = Configuration {
    name: "plain",
    command_line: "",
    devices: &[],
    before: "",
};

/// All of them.
pub const CONFIGURATIONS: &[Configuration] = &[
    PLAIN,
    Configuration {
        name: "too_old",
        ..PLAIN
    },
    Configuration {
        name: "lockdown_integrity",
        command_line: "lockdown=integrity",
        ..PLAIN
    },
    Configuration {
        name: "lockdown_confidentiality",
        command_line: "lockdown=confidentiality",
        ..PLAIN
    },
    Configuration {
        name: "without_jit",
        before: "echo 0 >/proc/sys/net/core/bpf_jit_enable",
        ..PLAIN
    },
    Configuration {
        name: "throttled_device",
        devices: &[
            "-drive",
            "driver=null-co,size=1G,read-zeroes=on,if=none,id=slow,throttling.iops-total=200",
            "-device",
            "virtio-blk-pci,drive=slow,serial=slow",
        ],
        ..PLAIN
    },
    Configuration {
        name: "known_latency",
        before: "modprobe null_blk nr_devices=1 queue_mode=2 irqmode=2 completion_nsec=250000000 \
            submit_queues=2 hw_queue_depth=64 gb=1\n\
            modprobe scsi_debug delay=0 ndelay=250000000 dev_size_mb=64 submit_queues=2\n\
            modprobe sd_mod",
        ..PLAIN
    },
    Configuration {
        name: "calibrated",
        // What is written is kept in a temporary file above it.
        devices: &[
            "-drive",
            "driver=null-co,size=1G,read-zeroes=on,if=none,id=slow,snapshot=on,throttling.iops-total=1000",
            "-device",
            "virtio-blk-pci,drive=slow,serial=slow",
        ],
        ..PLAIN
    },
    Configuration {
        name: "handed_back",
        before: "modprobe scsi_debug delay=0 dev_size_mb=64\n\
            modprobe sd_mod",
        ..PLAIN
    },
    Configuration {
        name: "stacked_devices",
        before: "modprobe dm_mod",
        ..PLAIN
    },
];

/// The one of a name.
pub fn named(name: &str) -> Result<Configuration, String> {
    let found = CONFIGURATIONS.iter().find(|known| known.name == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = CONFIGURATIONS.iter().map(|known| known.name).collect();
        format!("there are {}", names.join(", "))
    })
}
