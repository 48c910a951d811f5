//! What a search has found, as it is told.

use std::ffi::OsString;

use super::{bench::Bench, search::Found};
use crate::{
    analysis::tune::{Place, Run, gain, meets, outcome, ranked},
    commands::{begun::Begun, ceilings},
    error::Error,
    kernel::system::machine::release,
    model::tune::{
        Conditions, Gain, Outcome, SCHEMA, ShareOfDevice, Target, Tried, Tuning, Verdict,
    },
    text::Text,
    version,
};

/// A search that has ended.
pub struct Told<'a> {
    /// What was run.
    pub bench: &'a Bench<'a>,
    /// What was found.
    pub found: &'a Found,
    /// What was searched for.
    pub target: Target,
    /// When it began.
    pub begun: Begun,
}

/// Settings and what they came to.
struct Known {
    place: Place,
    outcome: Outcome,
}

impl Told<'_> {
    /// All of it.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell its release.
    pub fn tuning(&self) -> Result<Tuning, Error> {
        let subject = &self.bench.subject;
        let kernel = release()?;
        let default_place = subject.space.default_place();
        let default = self.outcome(&default_place);
        let ranked = self.ranked();
        let best = ranked.first();
        let gain = best.map(|best| self.gain(&best.place)).unwrap_or_default();
        let meets_target = best.and_then(|best| meets(self.target, &best.outcome));
        let recommended = match (best, &default) {
            (Some(best), Some(default)) => self.is_recommended(best, default, gain),
            _ => false,
        };
        let is_told = recommended || gain.verdict == Verdict::TooFewRounds;
        let command = best
            .filter(|_| is_told)
            .map_or(&default_place, |best| &best.place);
        let place = |place: &Place| subject.space.settings(place);
        Ok(Tuning {
            schema: SCHEMA.into(),
            ioprof_version: version::NUMBER.into(),
            started_at: self.begun.in_utc(),
            duration_ns: self.begun.elapsed_ns(),
            complete: !self.bench.interrupt.is_set(),
            kernel: kernel.clone(),
            workload: subject.workload.into(),
            target: self.target,
            conditions: self.conditions(),
            best: best.map(|best| place(&best.place)).unwrap_or_default(),
            meets_target,
            gain,
            recommended,
            command: self.command(command),
            settings_possible: subject.space.possible() as u64,
            rounds: self.found.rounds.clone(),
            final_rounds: self.found.finals.len() as u64,
            tried: self.tried(&default_place, &ranked),
            ceiling: best.and_then(|best| self.ceiling(best, &kernel)),
        })
    }

    fn conditions(&self) -> Conditions {
        let texts = |words: &[OsString]| words.iter().map(Text::of).collect();
        Conditions {
            cache: self.bench.subject.cache.0.as_str().into(),
            given: texts(&self.bench.subject.given),
            data_set: texts(&self.bench.data_set),
            folder: Text::of(&self.bench.location.dir),
            bytes_per_run: self.bytes_per_run(),
        }
    }

    fn bytes_per_run(&self) -> u64 {
        let runs = self.runs(&self.bench.subject.space.default_place());
        let bytes = runs.iter().map(|run| run.bytes).max();
        bytes.unwrap_or_else(|| self.bench.bytes_of_default())
    }

    /// The runs of the final rounds, where there are any; else those of the search.
    fn runs(&self, place: &Place) -> Vec<Run> {
        let number = self.found.last.iter().position(|last| last == place);
        let finals = self.found.finals.iter();
        let of_finals: Vec<Run> = match number {
            Some(number) => finals
                .filter_map(|(_, runs)| runs.get(number).cloned())
                .collect(),
            None if *place == self.bench.subject.space.default_place() => {
                finals.map(|(default, _)| default.clone()).collect()
            }
            None => Vec::new(),
        };
        if !of_finals.is_empty() {
            return of_finals;
        }
        let runs = self.found.results.get(place);
        runs.and_then(|runs| runs.as_ref().ok())
            .cloned()
            .unwrap_or_default()
    }

    fn outcome(&self, place: &Place) -> Option<Outcome> {
        outcome(&self.runs(place))
    }

    /// What was tried besides the default, the best first: those of the final rounds before the others.
    fn ranked(&self) -> Vec<Known> {
        let default = self.bench.subject.space.default_place();
        let is_last =
            |place: &Place| !self.found.finals.is_empty() && self.found.last.contains(place);
        let of = |wanted: bool| {
            let places = self.found.results.keys();
            let places = places.filter(|place| **place != default && is_last(place) == wanted);
            let known = places.filter_map(|place| {
                let outcome = self.outcome(place)?;
                Some((place.clone(), outcome))
            });
            let (places, outcomes): (Vec<_>, Vec<_>) = known.unzip();
            let order = ranked(self.target, &outcomes);
            let mut known: Vec<_> = places.into_iter().zip(outcomes).map(Some).collect();
            let ranked = order
                .into_iter()
                .filter_map(move |at| known.get_mut(at)?.take());
            ranked.map(|(place, outcome)| Known { place, outcome })
        };
        of(true).chain(of(false)).collect()
    }

    fn gain(&self, place: &Place) -> Gain {
        let Some(number) = self.found.last.iter().position(|last| last == place) else {
            return Gain::default();
        };
        let pairs = self.found.finals.iter();
        let pairs =
            pairs.filter_map(|(default, runs)| Some((default.clone(), runs.get(number)?.clone())));
        gain(
            self.target,
            &pairs.collect::<Vec<_>>(),
            self.found.last.len(),
        )
    }

    fn is_recommended(&self, best: &Known, default: &Outcome, gain: Gain) -> bool {
        let both = [best.outcome.clone(), default.clone()];
        let is_before = ranked(self.target, &both).first() == Some(&0);
        let keep = [default, &best.outcome].map(|one| meets(self.target, one));
        match keep {
            // The default is no choice, and this one is, or is closer.
            [Some(false), _] => is_before,
            _ => is_before && gain.verdict == Verdict::Better,
        }
    }

    fn ceiling(&self, best: &Known, kernel: &Text) -> Option<ShareOfDevice> {
        let kind = self.bench.subject.load(&best.place)?;
        let rate = best.outcome.bytes_per_second;
        ceilings::share(&self.bench.location.dir, kernel, kind, rate)
    }

    fn command(&self, place: &Place) -> Vec<Text> {
        let subject = &self.bench.subject;
        let mut words: Vec<OsString> = vec![subject.workload.into()];
        if let Some(dir) = &subject.dir {
            words.extend(["--dir".into(), dir.into()]);
        }
        words.extend(subject.given.iter().cloned());
        words.extend(subject.words(place));
        let (cache, is_default) = &subject.cache;
        if !is_default {
            words.extend(["--cache".into(), cache.into()]);
        }
        words.iter().map(Text::of).collect()
    }

    fn tried(&self, default: &Place, ranked: &[Known]) -> Vec<Tried> {
        let is_last = |place: &Place| self.found.last.contains(place) || place == default;
        let one = |place: &Place, outcome: Option<Outcome>, refused: Option<Text>| {
            let rounds = if place == default {
                self.found.rounds.len() as u64
            } else {
                self.found.taken_part.get(place).copied().unwrap_or(0)
            };
            Tried {
                settings: self.bench.subject.space.settings(place),
                rounds,
                is_final: is_last(place) && !self.found.finals.is_empty(),
                outcome,
                refused,
            }
        };
        let refused = self.found.results.iter().filter_map(|(place, runs)| {
            let reason = runs.as_ref().err()?;
            Some(one(place, None, Some(reason.clone())))
        });
        let mut tried = vec![one(default, self.outcome(default), None)];
        tried.extend(
            ranked
                .iter()
                .map(|known| one(&known.place, Some(known.outcome.clone()), None)),
        );
        tried.extend(refused);
        tried
    }
}
