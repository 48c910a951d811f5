//! Runs settings of a workload under the same conditions: one data set for all, and the same state of the page cache.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    time::{Duration, Instant},
};

use ioprof_workloads::{Folder, Interrupt, Location, Summary};

use super::{
    child::{self, Finished, Limits, Stopped},
    subject::Subject,
};
use crate::{
    analysis::tune::{Place, Run},
    error::Error,
    text::Text,
};

/// A run takes so long at least.
const SHORTEST: Duration = Duration::from_millis(50);
/// Of all the time a run has one part of so many.
const PARTS: u32 = 200;
/// What is run first, to see how fast the default is.
const FIRST_BYTES: u64 = 8 << 20;
/// The least that is run.
const LEAST_BYTES: u64 = 1 << 20;
/// At most so many times more is run next.
const GROWTH: f64 = 16.0;
/// A run that can be compared only when whole is ended when it has taken so many times as long as the default.
const SLOWEST: u32 = 3;
/// A whole run takes no more than this part of all the time.
const WHOLE_PART: u32 = 8;

/// How long a run takes is told by so many.
const RECENT: usize = 15;

/// How a run went.
pub enum Ran {
    /// It has ended, and counts.
    Run(Run),
    /// It cannot be run.
    Refused(Text),
    /// There is no time left, or a signal came.
    Over,
}

/// Runs settings.
pub struct Bench<'a> {
    /// What is run.
    pub subject: Subject,
    /// The words for the size of the data set.
    pub data_set: Vec<OsString>,
    /// Where it is.
    pub location: Location,
    /// When all is to be over.
    pub deadline: Instant,
    /// Set by a signal.
    pub interrupt: &'a Interrupt,
    folder: Folder,
    /// Whether a run has made the data set.
    is_made: bool,
    /// So long a run takes, about.
    slice: Duration,
    /// So long a run may take that can be compared only when whole.
    longest: Duration,
    /// What a whole run of the default moves, and how long it takes.
    default: Option<(u64, Duration)>,
    /// The bytes of the data set; none where the user has chosen it.
    bytes: Option<u64>,
    /// How long the last runs took, from the start of their process to the end; not those that made a data set.
    took: VecDeque<Duration>,
}

impl<'a> Bench<'a> {
    /// Finds a size for the data set by runs of the default, unless the user has given one.
    ///
    /// # Errors
    ///
    /// Where the default cannot be run.
    pub fn prepare(
        subject: Subject,
        time: Duration,
        interrupt: &'a Interrupt,
    ) -> Result<Option<Self>, Error> {
        let location = Location::choose(subject.dir.as_deref())?;
        let slice = (time / PARTS).max(SHORTEST);
        let mut bench = Self {
            bytes: subject.scale.map(|scale| scale.most.min(FIRST_BYTES)),
            folder: Folder::temporary(&location.dir)?,
            is_made: false,
            data_set: Vec::new(),
            deadline: Instant::now() + time,
            default: None,
            took: VecDeque::new(),
            subject,
            location,
            interrupt,
            slice,
            longest: time / WHOLE_PART,
        };
        bench.resize(bench.bytes)?;
        loop {
            let place = bench.subject.space.default_place();
            let limit = if bench.subject.is_whole {
                bench.longest
            } else {
                slice
            };
            let finished = bench.start(&place, limit)?;
            if finished.stopped == Some(Stopped::Signal) {
                return Ok(None);
            }
            let summary = bench.summary_of_default(finished)?;
            bench.subject.without_what_ran(&summary);
            let elapsed = Duration::from_nanos(summary.elapsed_ns);
            bench.default = Some((bench.subject.run(&summary).bytes, elapsed));
            // Once more where the data set was made in this one, to know how long a run takes that finds it.
            let is_known = !bench.took.is_empty();
            if !bench.fit(elapsed)? && is_known {
                return Ok(Some(bench));
            }
        }
    }

    fn summary_of_default(&self, finished: Finished) -> Result<Summary, Error> {
        let refused = |reason: String| Error::Tune {
            workload: self.subject.workload,
            reason,
        };
        let too_slow = "give it more --time, or less data";
        match finished.stopped {
            Some(Stopped::Measured) if self.subject.is_whole => {
                return Err(refused(format!("a single run takes too long: {too_slow}")));
            }
            Some(Stopped::TimeIsUp) => {
                return Err(refused(format!(
                    "the time is up before it has begun: {too_slow}"
                )));
            }
            _ => {}
        }
        let reason = why_refused(&finished);
        finished
            .summary
            .filter(|_| reason.is_none())
            .ok_or_else(|| refused(reason.unwrap_or_default().as_str().to_owned()))
    }

    /// Sets the size of the data set so that a run takes as long as it is to, where one took so long; whether it is new.
    fn fit(&mut self, elapsed: Duration) -> Result<bool, Error> {
        let (Some(bytes), Some(scale)) = (self.bytes, self.subject.scale) else {
            return Ok(false);
        };
        let times = self.slice.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
        let is_far = !(0.25..=1.5).contains(&times);
        // What is cut off at its time need not be smaller.
        if !is_far || (times < 1.0 && !self.subject.is_whole) {
            return Ok(false);
        }
        let wanted = bytes as f64 * times.min(GROWTH);
        let wanted = (wanted as u64).clamp(LEAST_BYTES.min(scale.most), scale.most);
        if wanted == bytes {
            return Ok(false);
        }
        self.resize(Some(wanted))?;
        Ok(true)
    }

    /// Makes room for a larger data set where the best so far is done too soon to be measured well; whether it is so.
    ///
    /// # Errors
    ///
    /// Where no folder can be made.
    pub fn grow(&mut self, bytes_per_second: f64) -> Result<bool, Error> {
        if self.subject.is_whole {
            return Ok(false);
        }
        let Some(bytes) = self.bytes else {
            return Ok(false);
        };
        let elapsed = Duration::try_from_secs_f64(bytes as f64 / bytes_per_second.max(1.0));
        let elapsed = elapsed.unwrap_or(self.slice);
        if elapsed > self.slice / 2 {
            return Ok(false);
        }
        self.fit(elapsed)
    }

    fn resize(&mut self, bytes: Option<u64>) -> Result<(), Error> {
        if let (Some(bytes), Some(scale)) = (bytes, self.subject.scale) {
            self.data_set = scale.words(bytes);
        }
        self.bytes = bytes;
        // The data set of another size goes with its folder, so that there is room.
        self.folder = Folder::temporary(&self.location.dir)?;
        self.is_made = false;
        self.took.clear();
        Ok(())
    }

    /// What one run of the default moves.
    pub fn bytes_of_default(&self) -> u64 {
        self.default.map_or(0, |(bytes, _)| bytes)
    }

    /// How long a run takes, from the start of its process to the end: the median of the last ones.
    pub fn cost(&self) -> Duration {
        let mut took: Vec<_> = self.took.iter().copied().collect();
        took.sort_unstable();
        let middle = took.get(took.len() / 2).copied();
        middle.unwrap_or_default().max(Duration::from_millis(1))
    }

    /// Whether nothing more can be run.
    pub fn is_over(&self) -> bool {
        self.interrupt.is_set() || Instant::now() >= self.deadline
    }

    /// One run.
    ///
    /// # Errors
    ///
    /// Where no process can be made.
    pub fn run(&mut self, place: &Place) -> Result<Ran, Error> {
        if self.is_over() {
            return Ok(Ran::Over);
        }
        let is_default = *place == self.subject.space.default_place();
        let limit = match self.default {
            // The others are measured by it.
            _ if self.subject.is_whole && is_default => self.longest,
            Some((_, elapsed)) if self.subject.is_whole => (elapsed * SLOWEST).max(SHORTEST),
            _ => self.slice,
        };
        let finished = self.start(place, limit)?;
        if matches!(finished.stopped, Some(Stopped::Signal | Stopped::TimeIsUp)) {
            return Ok(Ran::Over);
        }
        if let Some(reason) = why_refused(&finished) {
            return Ok(Ran::Refused(reason));
        }
        let Some(summary) = finished.summary else {
            return Ok(Ran::Over);
        };
        let mut run = self.subject.run(&summary);
        if finished.stopped == Some(Stopped::Measured) && self.subject.is_whole {
            // The rest would have taken longer: it is slower than this.
            run.bytes = self.bytes_of_default();
            run.is_cut_off = true;
        }
        Ok(Ran::Run(run))
    }

    fn start(&mut self, place: &Place, measured: Duration) -> Result<Finished, Error> {
        let began = Instant::now();
        let mut words = self.subject.given.clone();
        words.extend(self.data_set.iter().cloned());
        words.extend(["--keep".into(), "--dir".into(), self.folder.path().into()]);
        words.extend(self.subject.own.iter().map(OsString::from));
        words.extend(["--cache".into(), OsString::from(&self.subject.cache.0)]);
        words.extend(self.subject.words(place));
        let limits = Limits {
            measured,
            until: self.deadline,
        };
        let finished = child::run(self.subject.workload, &words, limits, self.interrupt)?;
        if std::mem::replace(&mut self.is_made, true) {
            self.took.push_front(began.elapsed());
            self.took.truncate(RECENT);
        }
        Ok(finished)
    }
}

/// Why a run does not count; none where it does.
fn why_refused(finished: &Finished) -> Option<Text> {
    let said = || {
        let last = finished.said.lines().last().unwrap_or_default();
        let last = last.strip_prefix("ioprof: ").unwrap_or(last);
        if last.is_empty() {
            "it ended without a summary".to_owned()
        } else {
            last.to_owned()
        }
    };
    let Some(summary) = &finished.summary else {
        return Some(said().into());
    };
    // A run that is ended gives up what it waits for.
    let failed = summary
        .errors
        .first()
        .filter(|_| finished.stopped.is_none())?;
    Some(format!("{} {}: {}", failed.operation, failed.path, failed.error).into())
}

/// What runs of each settings came to, or why they cannot be run.
pub type Results = BTreeMap<Place, Result<Vec<Run>, Text>>;
