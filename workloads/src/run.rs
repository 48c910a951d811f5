//! What all workloads share: making ready, measuring, summing up.

use std::sync::Arc;
use std::time::Instant;

use crate::cache;
use crate::counters::{Counters, nanoseconds};
use crate::data_set::{DataFile, DataSet, Place, Specification};
use crate::error::{Error, Failure};
use crate::files::Kernel;
use crate::interrupt::Interrupt;
use crate::options::{CommonOptions, value_name};
use crate::resources::{CpuTime, peak_memory_bytes, reset_peak_memory};
use crate::summary::{FileError, Setup, Summary};
use crate::transfer::{OpenGauge, Transfer};

/// How a run is steered from outside.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Set by the user's Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// Called when the set-up is done, before the measured phase begins.
    pub before_measuring: &'a dyn Fn(),
    /// Called when the measured phase is over, before anything is cleared up.
    pub after_measuring: &'a dyn Fn(),
}

impl<'a> Control<'a> {
    /// Of a workload that nobody else takes part in.
    pub fn alone(interrupt: &'a Interrupt) -> Self {
        Self {
            interrupt,
            before_measuring: &|| {},
            after_measuring: &|| {},
        }
    }
}

/// One run of one workload, from set-up to summary.
pub struct Run<'a> {
    /// Set by the user's Ctrl-C.
    pub interrupt: &'a Interrupt,
    before_measuring: &'a dyn Fn(),
    after_measuring: &'a dyn Fn(),
    common: &'a CommonOptions,
    summary: Summary,
    set_up: Counters,
    started: Instant,
}

impl<'a> Run<'a> {
    /// Starts the set-up of a workload.
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
            set_up: Counters::new(),
            started: Instant::now(),
        };
        run.parameter("seed", common.seed);
        run.parameter("cache", value_name(&common.cache));
        run
    }

    /// Notes what the run was given.
    pub fn parameter(&mut self, name: &str, value: impl std::fmt::Display) {
        self.summary
            .parameters
            .insert(name.to_owned(), value.to_string());
    }

    /// Tells the reader something.
    pub fn note(&mut self, text: impl Into<String>) {
        self.summary.notes.push(text.into());
    }

    /// Chooses the folder for data.
    ///
    /// # Errors
    ///
    /// See [`Place::choose`].
    pub fn place(&mut self) -> Result<Place, Error> {
        let place = Place::choose(self.common.dir.as_deref())?;
        self.parameter("dir", place.dir.display());
        if place.in_memory {
            self.note(format!(
                "{} is in memory (tmpfs): no device is involved",
                place.dir.display()
            ));
        }
        Ok(place)
    }

    /// Finds or makes the data set.
    ///
    /// # Errors
    ///
    /// See [`DataSet::create`].
    pub fn data_set(&mut self, specification: &Specification) -> Result<DataSet, Error> {
        let place = self.place()?;
        self.parameter("files", specification.files);
        self.parameter("file_size", specification.size);
        let (common, interrupt) = (self.common, self.interrupt);
        let set = self.with_set_up(|transfer| {
            DataSet::create(specification, common, &place, interrupt, transfer)
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

    /// Puts the page cache in the state that the user wants.
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
            "as it is, for the run was interrupted".to_owned()
        } else {
            self.with_set_up(|transfer| cache::prepare(state, dir, files, transfer))?
        };
        Ok(())
    }

    /// Does part of the set-up, counted as such.
    ///
    /// # Errors
    ///
    /// What `work` returns.
    pub fn with_set_up<T>(
        &mut self,
        work: impl FnOnce(&mut Transfer<'_, Kernel>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let gauge = OpenGauge::default();
        let mut transfer = Transfer::new(&Kernel, &gauge, None);
        let result = work(&mut transfer);
        self.set_up.merge(transfer.counters);
        result
    }

    /// Does what is measured; `work` returns what all its threads counted.
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
                .set_up
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

    /// Says which engine ran, and why where that was not the user's plain choice.
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
