//! The search: rounds of fewer and fewer settings, then the last of them in turns with the default.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    bench::{Bench, Ran, Results},
    progress::Progress,
};
use crate::{
    analysis::tune::{Place, Run, Step, fewest_rounds, outcome, ranked, schedule},
    error::Error,
    model::tune::{Outcome, Round, Target},
};

/// The part of the time that the rounds have; the final ones have the rest.
const SEARCH_PART: f64 = 0.55;
/// With fewer runs no others are tried.
const FEWEST_RUNS: usize = 12;
/// How many settings are in the final rounds, at most.
const LAST: usize = 3;
/// More rounds do not tell more that matters.
const MOST_ROUNDS: usize = 40;

/// What was found.
#[derive(Default)]
pub struct Found {
    /// What was tried, and what it came to in the rounds of the search.
    pub results: Results,
    /// In how many rounds each was.
    pub taken_part: BTreeMap<Place, u64>,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// The last settings, the best of the search first.
    pub last: Vec<Place>,
    /// The final rounds: a run of the default, and one of each of the last.
    pub finals: Vec<(Run, Vec<Run>)>,
}

/// A search.
pub struct Search<'a, 'b> {
    bench: &'a mut Bench<'b>,
    target: Target,
    progress: &'a Progress,
    found: Found,
    /// Those whose runs are of a smaller data set: the next one replaces them.
    stale: BTreeSet<Place>,
}

impl<'a, 'b> Search<'a, 'b> {
    /// One that has not begun.
    pub fn new(bench: &'a mut Bench<'b>, target: Target, progress: &'a Progress) -> Self {
        Self {
            bench,
            target,
            progress,
            found: Found::default(),
            stale: BTreeSet::new(),
        }
    }

    /// Searches until there is nothing left to do, no time, or a signal.
    ///
    /// # Errors
    ///
    /// Where nothing can be run.
    pub fn search(mut self) -> Result<Found, Error> {
        let now = Instant::now();
        let left = self.bench.deadline.saturating_duration_since(now);
        let time = left.mul_f64(SEARCH_PART);
        let until = now + time;
        let mut places = self.bench.subject.space.places();
        // How long runs take is known only about: where there is time left, others are tried.
        while !places.is_empty() && !self.bench.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            let runs = (left.as_secs_f64() / self.bench.cost().as_secs_f64()) as usize;
            if runs < FEWEST_RUNS && !self.found.rounds.is_empty() {
                break;
            }
            let mut best = std::mem::take(&mut self.found.last);
            self.rounds(&places, &schedule(places.len(), runs), until)?;
            best.append(&mut self.found.last);
            self.found.last = self.ranked(&best);
            self.found.last.truncate(LAST);
            places.retain(|place| !self.found.results.contains_key(place));
        }
        self.final_rounds()?;
        Ok(self.found)
    }

    fn rounds(&mut self, places: &[Place], steps: &[Step], until: Instant) -> Result<(), Error> {
        let default = self.bench.subject.space.default_place();
        let first = steps.first().map_or(0, |step| step.settings);
        let mut left: Vec<Place> = places.iter().take(first).cloned().collect();
        for (number, step) in steps.iter().enumerate() {
            left.truncate(step.settings);
            let newcomers = self.newcomers(left.first(), step.newcomers);
            left.extend(newcomers);
            let mut is_over = false;
            'round: for turn in 0..step.runs {
                let all = [&default].into_iter().chain(&left);
                for place in all {
                    let at = [number, steps.len(), turn, left.len()];
                    self.progress.round(at, &self.found, self.target);
                    is_over = Instant::now() >= until || !self.one(place)?;
                    if is_over {
                        break 'round;
                    }
                }
            }
            // Those that were run, where the time has ended it.
            left.retain(|place| self.found.results.contains_key(place));
            if !left.is_empty() {
                self.found.rounds.push(Round {
                    settings: left.len() as u64,
                    runs: step.runs as u64,
                });
            }
            for place in &left {
                *self.found.taken_part.entry(place.clone()).or_default() += 1;
            }
            left = self.ranked(&left);
            self.found.last = left.iter().take(LAST).cloned().collect();
            if is_over {
                break;
            }
            self.grow(left.first())?;
        }
        Ok(())
    }

    /// Those that can be run, the best first.
    fn ranked(&self, places: &[Place]) -> Vec<Place> {
        let known = places.iter().filter_map(|place| {
            let outcome = self.outcome(place)?;
            Some((place.clone(), outcome))
        });
        let (places, outcomes): (Vec<_>, Vec<_>) = known.unzip();
        let ranked = ranked(self.target, &outcomes);
        ranked
            .into_iter()
            .filter_map(|at| places.get(at).cloned())
            .collect()
    }

    fn outcome(&self, place: &Place) -> Option<Outcome> {
        let runs = self.found.results.get(place)?.as_ref().ok()?;
        outcome(runs)
    }

    /// Some that were not tried and are like the best.
    fn newcomers(&self, best: Option<&Place>, most: usize) -> Vec<Place> {
        let default = self.bench.subject.space.default_place();
        let all = best.map(|best| self.bench.subject.space.neighbours(best));
        let untried = all
            .into_iter()
            .flatten()
            .filter(|place| *place != default && !self.found.results.contains_key(place));
        untried.take(most).collect()
    }

    /// One run; whether there may be another.
    fn one(&mut self, place: &Place) -> Result<bool, Error> {
        if let Some(Err(_)) = self.found.results.get(place) {
            return Ok(true);
        }
        match self.bench.run(place)? {
            Ran::Over => return Ok(false),
            Ran::Refused(reason) => {
                self.found.results.insert(place.clone(), Err(reason));
            }
            Ran::Run(run) => {
                let known = self.found.results.entry(place.clone());
                if let Ok(runs) = known.or_insert_with(|| Ok(Vec::new())) {
                    if self.stale.remove(place) {
                        runs.clear();
                    }
                    runs.push(run);
                }
            }
        }
        Ok(true)
    }

    /// After the first round: larger data, where the best is done too soon.
    fn grow(&mut self, best: Option<&Place>) -> Result<(), Error> {
        let best = best.and_then(|place| self.outcome(place));
        if let Some(best) = best.filter(|_| self.found.rounds.len() == 1)
            && self.bench.grow(best.bytes_per_second)?
        {
            // It is made by the first; which are the best is known again by the next round.
            let default = self.bench.subject.space.default_place();
            self.bench.run(&default)?;
            self.bench.run(&default)?;
            self.stale = self.found.results.keys().cloned().collect();
        }
        Ok(())
    }

    /// The last settings in turns with the default: as many of them as there is time to tell apart.
    fn final_rounds(&mut self) -> Result<(), Error> {
        let default = self.bench.subject.space.default_place();
        let left = self
            .bench
            .deadline
            .saturating_duration_since(Instant::now());
        let possible = left.as_secs_f64() / self.bench.cost().as_secs_f64();
        let is_enough = |settings: &usize| {
            let rounds = possible as usize / settings.saturating_add(1);
            rounds > fewest_rounds(*settings)
        };
        let settings = (1..=self.found.last.len()).rev().find(is_enough);
        self.found.last.truncate(settings.unwrap_or(1));
        let last = self.found.last.clone();
        if last.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = [default].into_iter().chain(last).collect();
        while self.found.finals.len() < MOST_ROUNDS && self.is_time_for(all.len()) {
            self.progress.finals(&self.found, self.target);
            let Some(round) = self.final_round(&all)? else {
                return Ok(());
            };
            self.found.finals.push(round);
        }
        Ok(())
    }

    fn is_time_for(&self, runs: usize) -> bool {
        let left = self
            .bench
            .deadline
            .saturating_duration_since(Instant::now());
        let needed = self.bench.cost() * u32::try_from(runs).unwrap_or(u32::MAX);
        !self.bench.is_over() && left > needed + Duration::from_millis(10)
    }

    /// A run of each; none where one of them does not count. Who is first is another each time.
    fn final_round(&mut self, all: &[Place]) -> Result<Option<(Run, Vec<Run>)>, Error> {
        let mut runs = vec![None; all.len()];
        let first = self.found.finals.len() % all.len();
        for number in (first..all.len()).chain(0..first) {
            let Ran::Run(run) = self.bench.run(&all[number])? else {
                return Ok(None);
            };
            runs[number] = Some(run);
        }
        let mut runs = runs.into_iter().flatten();
        let default = runs.next();
        Ok(default.map(|default| (default, runs.collect())))
    }
}
