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
    // A driver that takes 20 KiB in 20 ms, and hands back what is more.
    Configuration {
        name: "handed_back",
        before: "modprobe null_blk nr_devices=0\n\
            mount -t configfs configfs /sys/kernel/config\n\
            mkdir /sys/kernel/config/nullb/nullb0\n\
            for set in size=64 memory_backed=1 queue_mode=2 mbps=1 power=1; do\n\
            echo ${set#*=} >/sys/kernel/config/nullb/nullb0/${set%=*}\n\
            done\n\
            echo 16 >/sys/block/nullb0/queue/max_sectors_kb",
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
