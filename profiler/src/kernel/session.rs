//! One measurement: the probes from load to the last reading of their maps.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aya::{Ebpf, EbpfLoader, maps::Array};
use aya_log::EbpfLogger;
use ioprof_ebpf::{
    abi::{
        MAX_WORKLOADS, aio,
        block::{self, MAX_DEPTHS, MAX_SLOTS, device_number},
        io_uring as uring,
        loss::Loss,
        page_cache as cache,
        syscall::MAX_OPERATIONS,
    },
    histogram::OCTAVES,
};

use super::{
    btf::KernelTypes,
    descriptors,
    helper::Helper,
    maps::{self, Snapshot},
    object, one_line,
    overhead::Overhead,
    probes::{self, DisabledProbes, Feature, PROBES},
    proc::{self, Devices},
    requests,
    series::FirstSeries,
    syscalls,
    tasks::{self, Origin},
};
use crate::{
    error::Error,
    model::ledger::{Probe, Verdict},
};

/// What a measurement is to cover.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How many workloads are told apart.
    pub workloads: u32,
    /// The probes to go without.
    pub without: DisabledProbes,
    /// Whether minor page faults are timed, which costs every process.
    pub minor_fault_time: bool,
    /// Who does what takes privileges, where this process is to give up its own.
    pub helper: Option<Arc<Helper>>,
}

/// Probes that are attached, until this is dropped.
pub struct Session {
    ebpf: Ebpf,
    workloads: u32,
    verdicts: Vec<Verdict>,
    logger: EbpfLogger<Messages>,
    messages: Messages,
    cost: Overhead,
    helper: Option<Arc<Helper>>,
    before: Devices,
    stolen_before: Option<u64>,
    began: Instant,
    knows_files: bool,
}

/// What the probes have to say, kept for the report.
#[derive(Clone, Debug, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl Messages {
    fn put(&self, message: String) {
        if let Ok(mut messages) = self.0.lock() {
            messages.push(message);
        }
    }

    fn take(&self) -> Vec<String> {
        self.0
            .lock()
            .map(|mut messages| std::mem::take(&mut *messages))
            .unwrap_or_default()
    }
}

impl log::Log for Messages {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.put(record.args().to_string());
    }

    fn flush(&self) {}
}

impl Session {
    /// Loads the object and attaches its probes. From here on requests are counted; calls are, of the
    /// processes that are brought into scope.
    ///
    /// # Errors
    ///
    /// Where the kernel or the user's privileges do not allow it, each with its remedy.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        if settings.workloads > MAX_WORKLOADS {
            return Err(Error::TooManyWorkloads {
                count: settings.workloads as usize,
                most: MAX_WORKLOADS,
            });
        }
        let most_descriptors = descriptors::raise_limit();
        let types = KernelTypes::of_this_kernel()?;
        let mut ebpf = load(settings, &types)?;
        descriptors::check(&ebpf, most_descriptors)?;
        // The loader has read it for itself, and given it up.
        let btf = KernelTypes::as_aya_reads_them()?;
        set_call_kinds(&mut ebpf)?;
        maps::make_rows_of_other_files(&mut ebpf, settings.workloads)?;
        tasks::load_iterators(&mut ebpf, &btf)?;
        let (mut before, mut began) = (Devices::default(), Instant::now());
        let verdicts = probes::attach(&mut ebpf, &btf, &types, settings, || {
            before = Devices::now();
            began = Instant::now();
        })?;
        before.see_stacks();
        let knows_files = types.may_read;
        drop((types, btf));
        give_back_memory();
        let cost = Overhead::start(&mut ebpf, attached(&verdicts), settings.helper.clone());
        let messages = Messages::default();
        let logger =
            EbpfLogger::init_with_logger(&mut ebpf, messages.clone()).map_err(|error| {
                Error::Load {
                    reason: one_line(&error),
                }
            })?;
        Ok(Self {
            ebpf,
            workloads: settings.workloads,
            verdicts,
            logger,
            messages,
            cost,
            helper: settings.helper.clone(),
            before,
            stolen_before: proc::stolen_ns(),
            began,
            knows_files,
        })
    }

    /// Brings a process with all its threads into scope.
    ///
    /// # Errors
    ///
    /// [`Error::NoProcess`] where it is gone.
    pub fn add_process(&mut self, pid: i32, workload: u32, origin: Origin) -> Result<(), Error> {
        tasks::add_process(&mut self.ebpf, pid, workload, origin)
    }

    /// Takes a process with a single thread out of scope again.
    ///
    /// # Errors
    ///
    /// [`Error::NoProcess`] where it is gone.
    pub fn retire_process(&mut self, pid: i32) -> Result<(), Error> {
        tasks::retire_process(&mut self.ebpf, pid)
    }

    /// Keeps the measuring of the probes' own cost going, and says when to come again.
    pub fn tick(&mut self) -> Duration {
        self.cost.tick()
    }

    /// Whether a process of any workload still runs, the first ones or descendants of theirs.
    ///
    /// # Errors
    ///
    /// Where the maps or /proc cannot be read.
    pub fn any_process_lives(&self) -> Result<bool, Error> {
        for workload in 1..=self.workloads {
            let totals = maps::workload(&self.ebpf, workload)?;
            if totals.threads > totals.threads_exited {
                return tasks::any_process_lives(&self.ebpf);
            }
        }
        Ok(false)
    }

    /// The file systems with pages that workloads made dirty and that are not written, by their device numbers.
    ///
    /// # Errors
    ///
    /// Where the map cannot be read.
    pub fn dirty_file_systems(&mut self) -> Result<BTreeSet<(u32, u32)>, Error> {
        self.examine_dirty()?;
        Ok(maps::dirty(&self.ebpf)?
            .iter()
            .filter(|inode| inode.cached_bytes > 0)
            .map(|inode| device_number(inode.device))
            .collect())
    }

    /// Has the probes look at the inodes with dirty pages once more, where they know of any.
    fn examine_dirty(&mut self) -> Result<(), Error> {
        let mut verdicts = PROBES.iter().zip(&self.verdicts);
        let is_known = verdicts.any(|(probe, verdict)| {
            probe.feature == Feature::Writeback && *verdict == Verdict::Attached
        });
        if is_known {
            tasks::examine_dirty(&mut self.ebpf)?;
        }
        Ok(())
    }

    /// Whether this process may still read what the probes count.
    pub fn can_be_read(&mut self) -> bool {
        maps::can_be_read(&self.ebpf) && tasks::can_walk(&mut self.ebpf)
    }

    /// Puts a message into the report, among those of the probes.
    pub fn warn(&self, message: String) {
        self.messages.put(message);
    }

    /// Reads everything. The probes are detached when the session is dropped.
    ///
    /// # Errors
    ///
    /// Where a map cannot be read.
    pub fn finish(mut self) -> Result<Snapshot, Error> {
        self.cost.stop();
        let mut probes = Vec::new();
        for (index, (probe, verdict)) in PROBES.iter().zip(&self.verdicts).enumerate() {
            let runs = self.cost.of_program(index);
            probes.push(Probe {
                name: probe.program.into(),
                tracepoint: probe.tracepoint.into(),
                verdict: verdict.clone(),
                missed: runs.map(|runs| runs.missed),
                measured_runs: runs.map(|runs| runs.count),
                measured_ns: runs.map(|runs| runs.time_ns),
            });
        }
        let duration_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut after = Devices::now();
        let block = requests::read_block(&self.ebpf)?;
        after.see_stacks();
        // The living once more, with what the kernel has counted for them by now.
        tasks::account_living(&mut self.ebpf)?;
        probes::detach(
            &mut self.ebpf,
            &["syscall_enter", "syscall_exit", "uring_complete"],
        );
        tasks::settle_files(&mut self.ebpf)?;
        self.examine_dirty()?;
        self.logger.flush();
        let cost = self.cost.over_all();
        let counted = maps::read(&self.ebpf, self.workloads, block, self.helper.as_deref())?;
        let is_full = |(loss, count): &(Loss, u64)| *loss == Loss::FilesFull && *count > 0;
        if counted.losses.iter().any(is_full) {
            self.warn(
                "the table of files is full: what was done to others than these counts among other files, \
                 but how many they are is not known"
                    .into(),
            );
        }
        Ok(Snapshot {
            probes,
            cost,
            messages: self.messages.take(),
            before: self.before,
            after,
            stolen_ns: taken_since(self.stolen_before),
            duration_ns,
            knows_files: self.knows_files,
            ..counted
        })
    }
}

/// Gives the kernel back what was used to load the probes, and what the C library would keep for later.
fn give_back_memory() {
    // SAFETY: it takes a number, and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// The programs of the probes, without those that are not attached.
fn attached(verdicts: &[Verdict]) -> impl Iterator<Item = Option<&'static str>> {
    let probes = PROBES.iter().zip(verdicts);
    probes.map(|(probe, verdict)| (*verdict == Verdict::Attached).then_some(probe.program))
}

/// What interrupts and the hypervisor have taken of all CPUs since; none where that is not known.
fn taken_since(before: Option<u64>) -> u64 {
    let now = proc::stolen_ns();
    now.zip(before)
        .map_or(0, |(now, before)| now.saturating_sub(before))
}

/// The sizes of the maps for so many workloads, and the constants of this kernel, into the object.
pub fn load(settings: &Settings, types: &KernelTypes) -> Result<Ebpf, Error> {
    let workloads = settings.workloads.max(1);
    let first_series = FirstSeries::new(workloads);
    // On every disk, of which some may come later, by each owner: four operations of its threads, writeback,
    // journal and metadata.
    let disks = proc::disks() + 16;
    let slots = (8 * disks * (workloads + 1)).min(MAX_SLOTS);
    let depths = (disks * (workloads + 5)).min(MAX_DEPTHS);
    let requests = proc::requests_at_most();
    let page_bytes = proc::page_bytes();
    let btrfs_end = types.btrfs_end();
    let queued_by_bio = u32::from(settings.without.queued_by_bio(types));
    let first_fault_series = block::series(first_series.block, slots + 1);
    let mut loader = EbpfLoader::new();
    loader.allow_unsupported_maps();
    for (symbol, value) in &types.constants {
        // A field that no probe reads any more is not in the object.
        loader.override_global(symbol, value, false);
    }
    loader
        .override_global("FIRST_BLOCK_SERIES", &first_series.block, true)
        .override_global("FIRST_URING_SERIES", &first_series.uring, true)
        .override_global("FIRST_AIO_SERIES", &first_series.aio, true)
        .override_global("QUEUED_BY_BIO", &queued_by_bio, true)
        .override_global("REQUESTS_KEPT", &(requests / 4 * 3), true)
        .override_global("PAGE_BYTES", &page_bytes, true)
        .override_global("BTRFS_END", &btrfs_end, true)
        .map_max_entries("CALLS", workloads * MAX_OPERATIONS)
        .map_max_entries("WORKLOADS", workloads + 1)
        .override_global("FIRST_CACHE_SERIES", &first_series.cache, true)
        .override_global("FIRST_FAULT_SERIES", &first_fault_series, true)
        .map_max_entries("CACHE", cache::index(workloads + 1, 0))
        .map_max_entries("DIRECTORY", (first_fault_series + workloads) * OCTAVES)
        .map_max_entries("FAULTS", workloads)
        .map_max_entries("MAPPED", workloads + 1)
        .map_max_entries("BLOCKS", 256 + 512 * workloads)
        .map_max_entries("SLOTS", slots)
        .map_max_entries("BLOCK_STATS", slots + 1)
        .map_max_entries("DEPTH_NUMBERS", depths)
        .map_max_entries("DEPTHS", depths + 1)
        .map_max_entries("REQUESTS", requests)
        .map_max_entries("MERGED", requests)
        .map_max_entries("URING_STATS", workloads * uring::OPCODES)
        .map_max_entries("URING_TOTALS", workloads + 1)
        .map_max_entries("AIO_STATS", workloads * aio::OPCODES)
        .map_max_entries("AIO_TOTALS", workloads + 1)
        .load(object::bytes())
        .map_err(|error| {
            if descriptors::are_used_up(&error) {
                descriptors::too_few()
            } else if super::privileges::can_load() {
                Error::Load {
                    reason: one_line(&error),
                }
            } else {
                Error::NoPrivilege
            }
        })
}

fn set_call_kinds(ebpf: &mut Ebpf) -> Result<(), Error> {
    const MAP: &str = "CALL_KINDS";
    let map = ebpf.map_mut(MAP).ok_or_else(|| maps::not_in_object(MAP))?;
    let mut table: Array<_, u32> = map.try_into().map_err(maps::refused(MAP))?;
    for (number, kind) in (0..).zip(syscalls::kinds()) {
        table.set(number, kind, 0).map_err(maps::refused(MAP))?;
    }
    Ok(())
}
