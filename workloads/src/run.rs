//! What all workloads share: the setup, the measured phase, the summary.

use std::sync::Arc;
use std::time::Instant;

use crate::cache;
use crate::counters::{Counters, nanoseconds};
use crate::data_set::{DataFile, DataSet, Location, Specification};
use crate::error::{Error, Failure};
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::options::{CommonOptions, value_name};
use crate::resources::{CpuTime, peak_memory_bytes, reset_peak_memory};
use crate::summary::{FileError, Setup, Summary};
use crate::transfer::{OpenGauge, Transfer};

/// The caller's control of a run.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Set by the user's Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// Called when the setup is done, before the measured phase begins.
    pub before_measuring: &'a dyn Fn(),
    /// Called when the measured phase is over, before the cleanup.
    pub after_measuring: &'a dyn Fn(),
}

impl<'a> Control<'a> {
    /// For a workload that runs without a profiler.
    pub fn standalone(interrupt: &'a Interrupt) -> Self {
        Self {
            interrupt,
            before_measuring: &|| {},
            after_measuring: &|| {},
        }
    }
}

/// One run of one workload, from setup to summary.
pub struct Run<'a> {
    /// Set by the user's Ctrl-C.
    pub interrupt: &'a Interrupt,
    before_measuring: &'a dyn Fn(),
    after_measuring: &'a dyn Fn(),
    common: &'a CommonOptions,
    summary: Summary,
    setup_counters: Counters,
    started: Instant,
}

impl<'a> Run<'a> {
    /// Starts the setup of a workload.
    pub fn new(workload: &str, common: &'a CommonOptions, control: &Control<'a>) -> Self {
        let summary = Summary {
            workload: workload.to_owned(),
            ..Summary::default()
        };
        let mut run = Self {
            interrupt: control.interrupt,
            before_measuring: control.before_measuring,
            after_measuring: control.after_measuring,
            common,
            summary,
            setup_counters: Counters::new(),
            started: Instant::now(),
        };
        run.parameter("seed", common.seed);
        run.parameter("cache", value_name(&common.cache));
        run
    }

    /// Records a parameter of the run.
    pub fn parameter(&mut self, name: &str, value: impl std::fmt::Display) {
        self.summary
            .parameters
            .insert(name.to_owned(), value.to_string());
    }

    /// Adds a note for the reader of the summary.
    pub fn note(&mut self, text: impl Into<String>) {
        self.summary.notes.push(text.into());
    }

    /// Chooses the folder for data.
    ///
    /// # Errors
    ///
    /// See [`Location::choose`].
    pub fn location(&mut self) -> Result<Location, Error> {
        let location = Location::choose(self.common.dir.as_deref())?;
        self.parameter("dir", location.dir.display());
        if location.in_memory {
            self.note(format!(
                "{} is in memory (tmpfs): no device is involved",
                location.dir.display()
            ));
        }
        Ok(location)
    }

    /// Finds or makes the data set.
    ///
    /// # Errors
    ///
    /// See [`DataSet::create`].
    pub fn data_set(&mut self, specification: &Specification) -> Result<DataSet, Error> {
        let location = self.location()?;
        self.parameter("files", specification.files);
        self.parameter("file_size", specification.size);
        let (common, interrupt) = (self.common, self.interrupt);
        let set = self.with_setup(|transfer| {
            DataSet::create(specification, common, &location, interrupt, transfer)
        })?;
        self.summary.setup.reused = set.reused;
        self.summary.setup.setup_bytes = set.written_bytes;
        self.summary.setup.setup_files = if set.reused {
            0
        } else {
            set.files.len() as u64
        };
        Ok(set)
    }

    /// Puts the page cache in the state that the options ask for.
    ///
    /// # Errors
    ///
    /// See [`cache::prepare`].
    pub fn prepare_cache(
        &mut self,
        dir: &std::path::Path,
        files: &[DataFile],
    ) -> Result<(), Error> {
        let state = self.common.cache;
        self.summary.setup.cache = if self.interrupt.is_set() {
            "unchanged: the run was interrupted".to_owned()
        } else {
            self.with_setup(|transfer| cache::prepare(state, dir, files, transfer))?
        };
        Ok(())
    }

    /// Does part of the setup, counted as such.
    ///
    /// # Errors
    ///
    /// What `work` returns.
    pub fn with_setup<T>(
        &mut self,
        work: impl FnOnce(&mut Transfer<'_, Kernel>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let gauge = OpenGauge::default();
        let mut transfer = Transfer::new(&Kernel, &gauge, None);
        let result = work(&mut transfer);
        self.setup_counters.merge(transfer.counters);
        result
    }

    /// Runs the measured phase; `work` returns what all its threads counted.
    ///
    /// # Errors
    ///
    /// What `work` returns.
    pub fn measure(
        &mut self,
        work: impl FnOnce(&Arc<OpenGauge>) -> Result<Counters, Error>,
    ) -> Result<(), Error> {
        self.summary.setup = Setup {
            setup_ns: nanoseconds(self.started),
            operations: self
                .setup_counters
                .operations()
                .into_iter()
                .map(|operation| crate::summary::OperationSummary {
                    latency: None,
                    ..operation
                })
                .collect(),
            ..std::mem::take(&mut self.summary.setup)
        };
        let gauge = Arc::new(OpenGauge::default());
        reset_peak_memory();
        (self.before_measuring)();
        let cpu = CpuTime::now();
        let start = Instant::now();
        let result = work(&gauge);
        self.summary.elapsed_ns = nanoseconds(start);
        (self.after_measuring)();
        let used = CpuTime::now().since(cpu);
        result?.report(&mut self.summary);
        self.summary.cpu_user_ns = used.user_ns;
        self.summary.cpu_system_ns = used.system_ns;
        self.summary.peak_rss_bytes = peak_memory_bytes();
        self.summary.peak_open_files = gauge.peak();
        Ok(())
    }

    /// Records the engine, and why it was chosen unless the user named it.
    pub fn engine(&mut self, name: &str, reason: Option<String>) {
        name.clone_into(&mut self.summary.engine);
        self.summary.engine_reason = reason;
    }

    /// A file failed after the measured phase.
    pub fn fail(&mut self, path: &std::path::Path, failure: Failure) {
        self.summary.errors.push(FileError::new(path, failure));
    }

    /// Ends the run.
    pub fn finish(mut self) -> Summary {
        self.summary.interrupted_by = self.interrupt.signal();
        self.summary
    }
}
