//! A line on stderr, if that is a terminal: what is tried, and the best so far.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::search::Found;
use crate::{
    analysis::tune::{outcome, ranked},
    model::tune::Target,
    output::format::bytes,
};

/// The line.
pub struct Progress {
    bar: ProgressBar,
    began: Instant,
}

impl Progress {
    /// For a search of so long.
    pub fn of(time: Duration) -> Self {
        let bar = ProgressBar::new(time.as_secs());
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} s  {wide_msg}");
        Self {
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            began: Instant::now(),
        }
    }

    /// The data set is made, and the default is run.
    pub fn preparing(&self) {
        self.told("making a data set".to_owned());
    }

    /// A run of a round begins.
    pub fn round(
        &self,
        [round, rounds, turn, settings]: [usize; 4],
        found: &Found,
        target: Target,
    ) {
        self.told(format!(
            "round {} of {rounds}, turn {}: {settings} settings{}",
            round + 1,
            turn + 1,
            best(found, target)
        ));
    }

    /// A final round begins.
    pub fn finals(&self, found: &Found, target: Target) {
        self.told(format!(
            "final round {}: the default and {}{}",
            found.finals.len() + 1,
            found.last.len(),
            best(found, target)
        ));
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn told(&self, text: String) {
        self.bar.set_position(self.began.elapsed().as_secs());
        self.bar.set_message(text);
        self.bar.tick();
    }
}

fn best(found: &Found, target: Target) -> String {
    let runs = found.results.values().filter_map(|runs| runs.as_ref().ok());
    let outcomes: Vec<_> = runs.filter_map(|runs| outcome(runs)).collect();
    let best = ranked(target, &outcomes)
        .first()
        .and_then(|at| outcomes.get(*at));
    best.map_or_else(String::new, |best| {
        format!(", best {}/s", bytes(best.bytes_per_second as u64))
    })
}
