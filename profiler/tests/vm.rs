//! What only a machine of its own can show: `cargo xtask vm --configuration NAME` boots one, and runs the module
//! of that name.

#[path = "kernel/support/mod.rs"]
#[allow(
    unused,
    clippy::panic,
    reason = "the kernel tests use all of it, and this a part"
)]
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use support::{
    Report,
    device::FileSystem,
    ioprof, plain, profile,
    program::Program,
    report::{Block, BlockOperation, known},
    requirements::{skip, tool},
    succeed, text,
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A file of a folder that goes with the test, written and synced.
fn data() -> (tempfile::TempDir, PathBuf) {
    let folder = support::folder();
    let file = support::device::written_file(folder.path(), 4 * MIB as usize);
    (folder, file)
}

/// A folder that an ext4 is mounted on, which is made on a device; unmounted with this value.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(node: &Path) -> Self {
        FileSystem::Ext4.make(node);
        let mounted = Self(support::folder());
        FileSystem::Ext4.mount(node, mounted.path());
        mounted
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        support::output(tool("umount").arg(self.path()));
    }
}

/// Direct reads of 4 KiB each from a file or a device.
fn reads(program: &Program, from: &Path, count: u64) -> Vec<std::ffi::OsString> {
    let from = plain(from);
    program.with(&[from, "read", "4096", &count.to_string()])
}

/// The read requests that a workload made on a device.
fn requests<'a>(report: &'a Report, device: &'a str) -> &'a Block {
    let found = support::report::requests(report.workload(0), device, BlockOperation::Read).next();
    found.expect("it has read from it")
}

/// Fails where a figure is further from what it must be than by this part of it.
fn assert_near(what: &str, found: f64, known: f64, part: f64) {
    let off = (found - known).abs() / known;
    println!(
        "{what}: {found:.4e}, known {known:.4e}, off by {:.2} %",
        off * 100.0
    );
    assert!(off <= part, "{what} is {found}, and must be {known}");
}

/// The disk of the module scsi_debug.
fn scsi_debug() -> PathBuf {
    let devices = fs::read_dir("/sys/block").expect("sysfs is mounted");
    let found = devices.flatten().find(|device| {
        fs::read_to_string(device.path().join("device/model"))
            .is_ok_and(|model| model.trim() == "scsi_debug")
    });
    Path::new("/dev").join(found.expect("the module is loaded").file_name())
}

/// The disk that the machine was given by a serial number.
fn with_serial(serial: &str) -> PathBuf {
    let devices = fs::read_dir("/sys/block").expect("sysfs is mounted");
    let found = devices.flatten().find(|device| {
        fs::read_to_string(device.path().join("serial")).is_ok_and(|text| text.trim() == serial)
    });
    Path::new("/dev").join(found.expect("the machine has it").file_name())
}

fn lockdown() -> String {
    let _ = succeed(tool("mount").args(["-t", "securityfs", "securityfs", "/sys/kernel/security"]));
    let modes = fs::read_to_string("/sys/kernel/security/lockdown");
    modes.expect("the kernel can be locked down")
}

mod too_old {
    use super::*;

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn one_line_says_so() {
        let refused = support::output(ioprof().args(["run", "--", "true"]));
        assert_eq!(refused.status.code(), Some(125), "{refused:?}");
        let said = text(&refused.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("is too old for ioprof"), "{said}");
        let doctor = support::output(ioprof().arg("doctor"));
        assert_eq!(doctor.status.code(), Some(1), "{doctor:?}");
        assert!(text(&doctor.stdout).contains(said.trim().trim_start_matches("ioprof: ")));
    }
}

mod lockdown_integrity {
    use super::*;

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn everything_is_told() {
        assert!(lockdown().contains("[integrity]"));
        let program = Program::compile("direct_io");
        let (_folder, file) = data();
        let report = profile(&[], &reads(&program, &file, 100));
        assert_eq!(report.call("pread64").bytes, Some(100 * 4 * KIB));
        let workload = report.workload(0);
        assert!(workload.files.is_some());
        assert!(workload.page_cache.is_some());
        assert!(workload.writeback.is_some());
        assert!(workload.time.is_some());
        assert!(workload.block.is_some());
    }
}

mod lockdown_confidentiality {
    use super::*;

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn what_needs_no_reading_of_memory_is_told_and_the_rest_is_unknown() {
        assert!(lockdown().contains("[confidentiality]"));
        let program = Program::compile("direct_io");
        let (_folder, file) = data();
        let report = profile(&[], &reads(&program, &file, 100));
        let call = report.call("pread64");
        assert_eq!((call.calls, call.bytes), (100, Some(100 * 4 * KIB)));
        let workload = report.workload(0);
        let direct: u64 = known(&workload.block)
            .iter()
            .filter(|block| block.operation == BlockOperation::Read)
            .map(|block| block.bytes)
            .sum();
        assert!(direct >= 100 * 4 * KIB, "{:#?}", workload.block);
        assert!(workload.time.is_some());
        assert!(workload.files.is_none());
        assert!(workload.page_cache.is_none());
        assert!(workload.writeback.is_none());
        let said = text(&succeed(ioprof().args(["run", "--", "true"])).stderr);
        assert!(
            said.contains("PROBE MISSING: writeback_dirty_folio"),
            "{said}"
        );
        assert!(said.contains("files and page cache unknown"), "{said}");
        let doctor = text(&succeed(ioprof().arg("doctor")).stdout);
        assert!(doctor.contains("lets no probe read its memory"), "{doctor}");
    }
}

mod without_jit {
    use super::*;

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn calls_and_requests_are_counted_all_the_same() {
        let jit = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable");
        assert_eq!(jit.expect("it can be asked").trim(), "0");
        let program = Program::compile("direct_io");
        let (_folder, file) = data();
        let report = profile(&[], &reads(&program, &file, 100));
        let call = report.call("pread64");
        assert_eq!((call.calls, call.bytes), (100, Some(100 * 4 * KIB)));
        assert!(report.workload(0).block.is_some());
        // Looking at dirty pages takes the compiler: what is left of them is not known then.
        assert!(report.workload(0).writeback.is_none());
    }
}

mod throttled_device {
    use super::*;

    /// What the machine's device lets through, in requests per second, and how many wait for it at any time.
    const LIMIT: f64 = 200.0;
    const DEPTH: u64 = 32;
    const REQUESTS: u64 = 2000;

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn utilization_depth_and_latency_are_those_of_the_limit() {
        let disk = with_serial("slow");
        let device = disk
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let fio = [
            "fio",
            "--name=reads",
            &format!("--filename={}", disk.display()),
            "--rw=randread",
            "--bs=4k",
            "--direct=1",
            "--ioengine=io_uring",
            &format!("--iodepth={DEPTH}"),
            &format!("--number_ios={REQUESTS}"),
        ];
        let before = Stat::of(&device);
        let report = profile(&[], &fio);
        let kernel = Stat::of(&device).since(&before);
        let whole = report.device(&device);
        let requests = requests(&report, &device);
        assert_eq!(requests.requests, REQUESTS);
        assert_eq!(whole.queue_depth.max, DEPTH);
        let busy = whole.busy_ns as f64;
        assert_near(
            "requests per second",
            REQUESTS as f64 / busy * 1e9,
            LIMIT,
            0.03,
        );
        assert_near("busy time", busy, kernel.busy_ns, 0.03);
        let mean_ns = |mean: Option<u64>| *known(&mean) as f64;
        let latency = mean_ns(requests.queue.mean()) + mean_ns(requests.service.mean());
        assert_near("latency", latency, kernel.read_ns / kernel.reads, 0.03);
        let depth = whole.read_ns as f64 / busy;
        assert_near(
            "depth while busy",
            depth,
            kernel.waiting_ns / kernel.busy_ns,
            0.03,
        );
        // By Little's law, what waits at any time is what comes in the time that each waits.
        assert_near("depth by the law", depth, LIMIT * latency / 1e9, 0.03);
    }

    /// What the kernel counts for a device (Documentation/block/stat.rst), here in nanoseconds.
    struct Stat {
        reads: f64,
        read_ns: f64,
        busy_ns: f64,
        waiting_ns: f64,
    }

    impl Stat {
        fn of(device: &str) -> Self {
            let text = fs::read_to_string(format!("/sys/block/{device}/stat"));
            let text = text.expect("the device is there");
            let numbers: Vec<f64> = text
                .split_whitespace()
                .map(|word| word.parse().expect("a number"))
                .collect();
            Self {
                reads: numbers[0],
                read_ns: numbers[3] * 1e6,
                busy_ns: numbers[9] * 1e6,
                waiting_ns: numbers[10] * 1e6,
            }
        }

        fn since(&self, before: &Self) -> Self {
            Self {
                reads: self.reads - before.reads,
                read_ns: self.read_ns - before.read_ns,
                busy_ns: self.busy_ns - before.busy_ns,
                waiting_ns: self.waiting_ns - before.waiting_ns,
            }
        }
    }
}

mod known_latency {
    use super::*;

    /// What the modules were told to take for a request.
    const KNOWN_NS: f64 = 250e6;

    const COUNT: u64 = 24;

    fn assert_service(device: &Path) {
        let program = Program::compile("direct_io");
        let report = profile(&[], &reads(&program, device, COUNT));
        let name = device.file_name().expect("a name").to_string_lossy();
        let requests = requests(&report, &name);
        assert_eq!(requests.requests, COUNT);
        // Half of them: now and then an emulated machine's timer is late.
        let service = *known(&requests.service.quantile(0.5)) as f64;
        assert_near(&name, service, KNOWN_NS, 0.05);
    }

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn the_service_time_of_null_blk_is_the_one_it_was_given() {
        assert_service(Path::new("/dev/nullb0"));
    }

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn the_service_time_of_scsi_debug_is_the_one_it_was_given() {
        assert_service(&scsi_debug());
    }
}

mod handed_back {
    use super::*;
    use support::{attached::Attached, plain, steps::Steps};

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn a_request_that_the_driver_hands_back_waits_in_the_queue() {
        let mounted = Mounted::new(&scsi_debug());
        // Of three commands one finds the host busy, and is sent again about 20 ms later.
        for (what, value) in [("every_nth", "3"), ("opts", "0x8000")] {
            let file = Path::new("/sys/bus/pseudo/drivers/scsi_debug").join(what);
            fs::write(file, value).expect("the driver can be told");
        }
        let program = Program::compile("steps");
        let file = mounted.path().join("file");
        let mut writer = Steps::start(&program, &[plain(&file), "4096"]);
        let attached = Attached::to(&[writer.pid()], &[]);
        writer.tell("ws".repeat(50));
        writer.end();
        let report = attached.ended();
        // Those of the journal, too; what is not handed back is done at once.
        let waits = &known(&report.call("fsync").breakdown).off_cpu;
        println!("{waits:#?}");
        assert!(waits.queue_ns > 4 * waits.service_ns, "{waits:#?}");
    }
}

mod calibrated {
    use super::*;

    /// What the machine's device lets through, in requests per second.
    const LIMIT: f64 = 1000.0;
    /// Larger ones may be divided, or be too much for the emulated machine.
    const LARGEST: f64 = 64.0 * KIB as f64;

    #[test]
    #[ignore = "it takes a machine of its own"]
    fn the_ceiling_of_a_device_of_a_known_limit_is_that_limit() {
        let mounted = Mounted::new(&with_serial("slow"));
        let folder = support::folder();
        let file = folder.path().join("calibration.json");
        let mut calibrate = ioprof();
        calibrate.args(["calibrate", "--no-save", "-o"]).arg(&file);
        let said = succeed(calibrate.arg(mounted.path()));
        println!("{}", text(&said.stdout));
        let json = fs::read(file).expect("it was written");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
        support::report::validate(&json, "calibration.schema.json");
        let mut compared = 0;
        for series in json["series"].as_array().expect("a list") {
            let size = series["size_bytes"].as_f64().expect("a number");
            // What was repeated had the most time.
            let again = &series["again"];
            // Those that follow each other are merged.
            let is_random = series["pattern"] == "random";
            if size > LARGEST || !is_random || again["steady"] != true {
                continue;
            }
            let what = format!("{}s of {size} B", series["operation"]);
            let rate = again["operations_per_second"].as_f64();
            assert_near(&what, rate.expect("a number"), LIMIT, 0.03);
            compared += 1;
        }
        if compared == 0 {
            // An emulated machine beside others may have too little of a CPU.
            skip("no rate was steady");
        }
    }
}

#[path = "vm/stacked_devices.rs"]
mod stacked_devices;
