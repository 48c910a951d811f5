//! A session: the probes from loading them to the last reading of their maps.

use std::{collections::BTreeSet, os::fd::OwnedFd, sync::Arc, time::Duration};

use ioprof_ebpf::abi::{
    block::device_number,
    layout::{Layout, MAX_WORKLOADS},
    loss::Loss,
};

use super::{
    bpf::{
        self, AttachedProbes, Calibration, Ebpf, FirstCopies, Messages, Overhead, Verified,
        Verifier,
        btf::KernelTypes,
        limits,
        probes::{Feature, ProbeSelection},
        scope::{self, EntryState},
        window,
    },
    helper::Helper,
    snapshot::{self, Snapshot, SoFar},
    system::{device::Devices, machine, tree::Tree},
};
use crate::error::Error;

/// What a session measures.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The number of workloads.
    pub workloads: u32,
    /// The probes to attach.
    pub probes: ProbeSelection,
    /// The helper for privileged operations, if this process will give up its privileges.
    pub helper: Option<Arc<Helper>>,
}

/// Probes that are attached, until this is dropped.
pub struct Session {
    ebpf: Ebpf,
    layout: Layout,
    probes: AttachedProbes,
    copies: FirstCopies,
    verified: Vec<Verified>,
    messages: Messages,
    overhead: Overhead,
    calibration: Calibration,
    helper: Option<Arc<Helper>>,
    before: Devices,
    stolen_before: Option<u64>,
    began_ns: u64,
    knows_files: bool,
}

impl Session {
    /// Loads the object and attaches its probes. Nothing counts before [`Session::begin`].
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
        let most_descriptors = limits::raise_limit();
        let types = KernelTypes::of_this_kernel()?;
        // One more than there are, for the calibration; nobody reads what is counted for it.
        let calibrated = settings.workloads + 1;
        let (mut ebpf, mut layout) = bpf::load(calibrated, &settings.probes, &types)?;
        layout.workloads = settings.workloads.max(1);
        limits::check(&ebpf, &types, most_descriptors)?;
        give_back_memory();
        // The loader has dropped its own copy.
        let btf = KernelTypes::as_aya_reads_them()?;
        bpf::set_call_kinds(&mut ebpf)?;
        bpf::make_rows_of_other_files(&mut ebpf, settings.workloads)?;
        let verifier = Verifier::default();
        scope::load_iterators(&mut ebpf, &btf, &verifier)?;
        let calibration = Calibration::start(calibrated);
        let (probes, copies) = bpf::attach(&mut ebpf, (&btf, &verifier), &types, &settings.probes)?;
        let knows_files = types.may_read;
        drop((types, btf));
        give_back_memory();
        let programs = probes.attached_programs();
        let overhead = Overhead::start((&mut ebpf, &copies), programs, settings.helper.clone());
        let messages = Messages::start(&mut ebpf)?;
        Ok(Self {
            ebpf,
            layout,
            probes,
            copies,
            verified: verifier.into_verified(),
            calibration,
            messages,
            overhead,
            helper: settings.helper.clone(),
            before: Devices::default(),
            stolen_before: None,
            began_ns: window::now_ns()?,
            knows_files,
        })
    }

    /// The programs that the kernel has verified, the longest first.
    pub fn verified(&self) -> &[Verified] {
        &self.verified
    }

    /// Begins: from here on requests are counted, and what the processes do that are in scope or are brought into it.
    ///
    /// # Errors
    ///
    /// Where a map cannot be written, or the threads in scope cannot be walked over.
    pub fn begin(&mut self) -> Result<(), Error> {
        self.stolen_before = machine::stolen_ns();
        self.before = Devices::now();
        self.began_ns = window::open(&mut self.ebpf)?;
        self.before.read_again();
        scope::begin_threads(&mut self.ebpf)?;
        self.before.read_topology();
        self.calibration.begun(&self.ebpf, self.helper.as_ref());
        // Not before: the calibration has the statistics on and off.
        self.overhead.begin(&self.ebpf);
        Ok(())
    }

    /// Brings a process with all its threads into scope, by its number and a descriptor of it.
    ///
    /// # Errors
    ///
    /// [`Error::NoProcess`] where it is gone.
    pub fn add_process(
        &mut self,
        process: (i32, &OwnedFd),
        workload: u32,
        state: EntryState,
    ) -> Result<(), Error> {
        scope::add_process(&mut self.ebpf, process, workload, state)
    }

    /// Brings all processes into scope that exist below those that are, before [`Session::begin`], and returns the
    /// workloads of those that it found.
    ///
    /// # Errors
    ///
    /// Where /proc cannot be read, or a record cannot be written.
    pub fn add_tree(&mut self, tree: &mut Tree) -> Result<Vec<u32>, Error> {
        scope::add_tree(&mut self.ebpf, tree)
    }

    /// Takes a process with a single thread out of scope again, which is about to wait for ioprof.
    ///
    /// # Errors
    ///
    /// [`Error::NoProcess`] where it is gone.
    pub fn retire_process(&mut self, process: (i32, &OwnedFd), workload: u32) -> Result<(), Error> {
        scope::retire_process(&mut self.ebpf, process, workload)
    }

    /// Continues measuring the overhead, and returns the time until the next call.
    pub fn tick(&mut self) -> Duration {
        self.overhead.tick()
    }

    /// Whether a process of any workload still runs, descendants included.
    ///
    /// # Errors
    ///
    /// Where the maps or /proc cannot be read.
    pub fn any_process_lives(&self) -> Result<bool, Error> {
        for workload in 1..=self.layout.workloads {
            let totals = snapshot::workload(&self.ebpf, workload)?;
            if totals.threads > totals.threads_exited {
                return scope::any_process_lives(&self.ebpf);
            }
        }
        Ok(false)
    }

    /// How many requests of the workloads are in flight.
    ///
    /// # Errors
    ///
    /// Where a map cannot be read.
    pub fn requests_in_flight(&self) -> Result<usize, Error> {
        snapshot::block::in_flight(&self.ebpf)
    }

    /// What the workloads have done so far.
    ///
    /// # Errors
    ///
    /// Where a map cannot be read.
    pub fn so_far(&self) -> Result<SoFar, Error> {
        let read = snapshot::so_far::read(&self.ebpf, &self.probes, self.layout.workloads)?;
        Ok(SoFar {
            knows_files: self.knows_files,
            ..read
        })
    }

    /// The file systems with pages that workloads made dirty and that are not written, by their device numbers.
    ///
    /// # Errors
    ///
    /// Where the map cannot be read.
    pub fn dirty_file_systems(&mut self) -> Result<BTreeSet<(u32, u32)>, Error> {
        self.examine_dirty()?;
        Ok(snapshot::writeback::dirty(&self.ebpf)?
            .iter()
            .filter(|inode| inode.cached_bytes > 0)
            .map(|inode| device_number(inode.file.device))
            .collect())
    }

    /// Has the probes examine the inodes with dirty pages again, if they track any.
    fn examine_dirty(&mut self) -> Result<(), Error> {
        if self.probes.is_attached(Feature::Writeback) {
            scope::examine_dirty(&mut self.ebpf)?;
        }
        Ok(())
    }

    /// Whether this process may still read what the probes count.
    pub fn can_be_read(&mut self) -> bool {
        snapshot::loss::can_be_read(&self.ebpf) && scope::can_walk(&mut self.ebpf)
    }

    /// Adds a message to the report, among those of the probes.
    pub fn warn(&self, message: String) {
        self.messages.add(message);
    }

    /// Reads everything, and detaches the probes.
    ///
    /// # Errors
    ///
    /// Where a map cannot be read.
    pub fn finish(mut self) -> Result<Snapshot, Error> {
        let unseen = snapshot::block::wait_for_completions(&self.ebpf)?;
        self.overhead.stop();
        // The statistics are off now, as they were the first time.
        self.calibration.ending(&self.ebpf);
        self.probes
            .set_runs(|index| self.overhead.of_program(&self.ebpf, index));
        let mut after = Devices::now();
        let ended_ns = window::close(&mut self.ebpf)?;
        after.read_again();
        // Before the walk: a program that still counts has what it settles. After it: threads settle by themselves, too.
        window::wait_for_programs();
        scope::settle_threads(&mut self.ebpf)?;
        window::wait_for_programs();
        after.read_topology();
        self.examine_dirty()?;
        let cost = self.overhead.over_all();
        let block = snapshot::block::read(&self.ebpf, &unseen, ended_ns)?;
        let counted = snapshot::read(&self.ebpf, &self.layout, block, self.helper.as_deref())?;
        let is_full = |(loss, count): &(Loss, u64)| *loss == Loss::FilesFull && *count > 0;
        if counted.losses.iter().any(is_full) {
            self.warn(
                "the table of files is full: what was done to others than these counts among other files, \
                 but how many they are is not known"
                    .into(),
            );
        }
        if snapshot::is_path_table_full(&self.ebpf)? {
            self.warn(
                "the table of paths is full: of some files no path may be known, or its end alone"
                    .into(),
            );
        }
        // The calibration ends without the probes.
        drop((self.ebpf, self.copies));
        Ok(Snapshot {
            probes: self.probes,
            cost,
            call_cost: self.calibration.end(),
            messages: self.messages.take(),
            before: self.before,
            after,
            stolen_ns: taken_since(self.stolen_before),
            duration_ns: ended_ns.saturating_sub(self.began_ns),
            knows_files: self.knows_files,
            ..counted
        })
    }
}

/// Returns the memory that loading the probes took to the kernel; the C library would keep it.
fn give_back_memory() {
    // SAFETY: it takes an integer, and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// The time that interrupts and the hypervisor have taken of all CPUs since; 0 where that is not known.
fn taken_since(before: Option<u64>) -> u64 {
    let now = machine::stolen_ns();
    now.zip(before)
        .map_or(0, |(now, before)| now.saturating_sub(before))
}
