//! What the probes log, kept for the report.

use std::sync::{Arc, Mutex};

use aya::Ebpf;
use aya_log::EbpfLogger;

use super::error::one_line;
use crate::error::Error;

/// The messages of a run: those of the probes, and those that ioprof adds.
pub struct Messages {
    logger: EbpfLogger<Sink>,
    sink: Sink,
}

#[derive(Clone, Debug, Default)]
struct Sink(Arc<Mutex<Vec<String>>>);

impl Messages {
    /// Begins to collect what the probes log.
    ///
    /// # Errors
    ///
    /// Where the log's map cannot be used.
    pub fn start(ebpf: &mut Ebpf) -> Result<Self, Error> {
        let sink = Sink::default();
        let logger =
            EbpfLogger::init_with_logger(ebpf, sink.clone()).map_err(|error| Error::Load {
                reason: one_line(&error),
            })?;
        Ok(Self { logger, sink })
    }

    /// Adds a message.
    pub fn add(&self, message: String) {
        self.sink.add(message);
    }

    /// All messages so far, those that are still in the log's map included.
    pub fn take(&mut self) -> Vec<String> {
        self.logger.flush();
        self.sink
            .0
            .lock()
            .map(|mut messages| std::mem::take(&mut *messages))
            .unwrap_or_default()
    }
}

impl Sink {
    fn add(&self, message: String) {
        if let Ok(mut messages) = self.0.lock() {
            messages.push(message);
        }
    }
}

impl log::Log for Sink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.add(record.args().to_string());
    }

    fn flush(&self) {}
}
