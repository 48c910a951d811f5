//! Counting operations: one `Counters` per thread, merged at the end, so that counting costs no shared cache line.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::error::{Failure, errno_number_name};
pub use crate::operation::{Event, Operation};
use crate::summary::{FileError, LatencyBucket, LatencySummary, OperationSummary, Summary, Via};

/// Longest latency that the histogram resolves; longer ones count as this.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Counts of one operation.
#[derive(Clone, Debug)]
struct Counter {
    calls: u64,
    bytes: u64,
    time_ns: u64,
    errors: BTreeMap<i32, u64>,
    latency: Option<Histogram<u64>>,
}

impl Counter {
    fn new() -> Self {
        // Two digits: percentiles off by 1 % at most, in 36 KiB. The arguments are constants that the library accepts.
        Self {
            calls: 0,
            bytes: 0,
            time_ns: 0,
            errors: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, LONGEST_NS, 2).ok(),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.bytes += other.bytes;
        self.time_ns += other.time_ns;
        for (&number, &count) in &other.errors {
            *self.errors.entry(number).or_default() += count;
        }
        if let (Some(mine), Some(theirs)) = (&mut self.latency, &other.latency) {
            // Cannot fail: both have the same bounds.
            let _ = mine.add(theirs);
        }
    }

    fn summary(&self, name: &str, via: Via) -> OperationSummary {
        let latency = self
            .latency
            .as_ref()
            .filter(|histogram| !histogram.is_empty())
            .map(|histogram| LatencySummary {
                count: histogram.len(),
                min_ns: histogram.min(),
                max_ns: histogram.max(),
                mean_ns: histogram.mean() as u64,
                p50_ns: histogram.value_at_quantile(0.5),
                p90_ns: histogram.value_at_quantile(0.9),
                p99_ns: histogram.value_at_quantile(0.99),
                p999_ns: histogram.value_at_quantile(0.999),
                buckets: histogram
                    .iter_recorded()
                    .map(|bucket| LatencyBucket {
                        ge_ns: histogram.lowest_equivalent(bucket.value_iterated_to()),
                        le_ns: histogram.highest_equivalent(bucket.value_iterated_to()),
                        count: bucket.count_at_value(),
                    })
                    .collect(),
            });
        let errors = self
            .errors
            .iter()
            .map(|(&number, &count)| (errno_number_name(number), count))
            .collect();
        OperationSummary {
            name: name.to_owned(),
            via,
            calls: self.calls,
            bytes: self.bytes,
            time_ns: self.time_ns,
            errors,
            latency,
        }
    }
}

const OPERATIONS: usize = Operation::ALL.len();
const VIAS: [Via; 3] = [Via::Syscall, Via::IoUring, Via::Memory];

/// What one thread did.
#[derive(Debug, Default)]
pub struct Counters {
    table: [[Option<Box<Counter>>; OPERATIONS]; VIAS.len()],
    events: BTreeMap<Event, u64>,
    failures: Vec<FileError>,
    failures_not_listed: u64,
    files: u64,
}

impl Counters {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn counter(&mut self, operation: Operation, via: Via) -> &mut Counter {
        self.table[via as usize][operation as usize].get_or_insert_with(|| Box::new(Counter::new()))
    }

    /// Records a call: its latency and its result, bytes or an error number.
    pub fn record(
        &mut self,
        operation: Operation,
        via: Via,
        latency_ns: u64,
        result: Result<u64, i32>,
    ) {
        let counter = self.counter(operation, via);
        counter.calls += 1;
        counter.time_ns += latency_ns;
        match result {
            Ok(bytes) => counter.bytes += bytes,
            Err(number) => *counter.errors.entry(number).or_default() += 1,
        }
        if let Some(histogram) = &mut counter.latency {
            histogram.saturating_record(latency_ns.max(1));
        }
    }

    /// Many accesses to memory that took `time_ns` together; one of them, timed alone, took `sampled_ns`.
    pub fn record_many(
        &mut self,
        operation: Operation,
        calls: u64,
        bytes: u64,
        time_ns: u64,
        sampled_ns: Option<u64>,
    ) {
        let counter = self.counter(operation, Via::Memory);
        counter.calls += calls;
        counter.bytes += bytes;
        counter.time_ns += time_ns;
        if let (Some(histogram), Some(latency_ns)) = (&mut counter.latency, sampled_ns) {
            histogram.saturating_record(latency_ns.max(1));
        }
    }

    /// Makes a system call, times and counts it. `bytes` gives the bytes moved, from the result.
    pub fn call<T>(
        &mut self,
        operation: Operation,
        bytes: impl FnOnce(&T) -> u64,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let start = Instant::now();
        let result = call();
        let outcome = match &result {
            Ok(value) => Ok(bytes(value)),
            Err(error) => Err(error.raw_os_error().unwrap_or(libc::EIO)),
        };
        self.record(operation, Via::Syscall, nanoseconds(start), outcome);
        result
    }

    /// Counts something unusual.
    pub fn event(&mut self, event: Event) {
        *self.events.entry(event).or_default() += 1;
    }

    /// How often that happened.
    #[cfg(test)]
    pub fn events(&self, event: Event) -> u64 {
        self.events.get(&event).copied().unwrap_or(0)
    }

    /// One more file is done, well or not.
    pub fn finish_file(&mut self) {
        self.files += 1;
    }

    /// That many more files are done.
    pub fn finish_files(&mut self, files: u64) {
        self.files += files;
    }

    /// A file failed.
    pub fn fail(&mut self, path: &std::path::Path, failure: Failure) {
        self.failures.push(FileError::new(path, failure));
        self.bound_failures();
    }

    fn bound_failures(&mut self) {
        let over = self.failures.len().saturating_sub(Summary::LISTED_ERRORS);
        self.failures_not_listed += over as u64;
        self.failures.truncate(Summary::LISTED_ERRORS);
    }

    /// How many files failed.
    #[cfg(test)]
    pub fn failed(&self) -> u64 {
        self.failures.len() as u64 + self.failures_not_listed
    }

    /// Adds what another thread did.
    pub fn merge(&mut self, other: Self) {
        for (via, row) in VIAS.iter().zip(&other.table) {
            for (operation, counter) in Operation::ALL.iter().zip(row) {
                if let Some(counter) = counter {
                    self.counter(*operation, *via).merge(counter);
                }
            }
        }
        for (event, count) in other.events {
            *self.events.entry(event).or_default() += count;
        }
        self.files += other.files;
        self.failures_not_listed += other.failures_not_listed;
        self.failures.extend(other.failures);
        self.bound_failures();
    }

    /// The operations that happened, in the order of [`Operation::ALL`].
    pub fn operations(&self) -> Vec<OperationSummary> {
        let mut operations = Vec::new();
        for operation in Operation::ALL {
            for via in VIAS {
                if let Some(counter) = &self.table[via as usize][operation as usize] {
                    operations.push(counter.summary(operation.name(), via));
                }
            }
        }
        operations
    }

    /// Puts everything counted into the summary.
    pub fn report(self, summary: &mut Summary) {
        summary.operations = self.operations();
        summary.events = self
            .events
            .iter()
            .map(|(event, &count)| (event.name().to_owned(), count))
            .collect();
        summary.files = self.files;
        summary.errors = self.failures;
        summary.errors_not_listed = self.failures_not_listed;
    }
}

/// Time since `start`.
pub fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_list_of_operations_is_in_the_order_of_the_table() {
        for (index, operation) in Operation::ALL.iter().enumerate() {
            assert_eq!(*operation as usize, index);
        }
        for (index, via) in VIAS.iter().enumerate() {
            assert_eq!(*via as usize, index);
        }
    }

    #[test]
    fn merging_adds_everything() {
        let mut first = Counters::new();
        first.record(Operation::Read, Via::Syscall, 1000, Ok(10));
        first.event(Event::ShortRead);
        let mut second = Counters::new();
        second.record(Operation::Read, Via::Syscall, 3000, Ok(5));
        second.record(Operation::Read, Via::IoUring, 1, Ok(1));
        second.record(Operation::Read, Via::Syscall, 2000, Err(libc::EIO));
        second.event(Event::ShortRead);
        second.finish_file();
        first.merge(second);

        let mut summary = Summary::default();
        first.report(&mut summary);
        assert_eq!(summary.calls("read"), 4);
        assert_eq!(summary.bytes("read"), 16);
        assert_eq!(summary.operations[0].errors["EIO"], 1);
        let latency = summary.operations[0].latency.as_ref().expect("timed");
        assert_eq!(latency.count, 3);
        let buckets = &latency.buckets;
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 3);
        for (bucket, value) in buckets.iter().zip([1000, 2000, 3000]) {
            assert!(bucket.ge_ns <= value && value <= bucket.le_ns, "{bucket:?}");
        }
        assert_eq!(summary.events["short_read"], 2);
        assert_eq!(summary.files, 1);
    }

    #[test]
    fn failures_are_bounded_and_the_rest_counted() {
        let mut counters = Counters::new();
        for _ in 0..Summary::LISTED_ERRORS + 7 {
            counters.fail(
                Path::new("/x"),
                Failure::io("read")(io::Error::from_raw_os_error(libc::EIO)),
            );
        }
        assert_eq!(counters.failures.len(), Summary::LISTED_ERRORS);
        assert_eq!(counters.failed(), Summary::LISTED_ERRORS as u64 + 7);
    }
}
