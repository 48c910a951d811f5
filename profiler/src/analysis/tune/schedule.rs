//! How many settings are run how often, so that it fits into the time.

/// A round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many settings of the round before stay, or begin.
    pub settings: usize,
    /// How many untried ones join, that are like the best so far.
    pub newcomers: usize,
    /// How often each is run.
    pub runs: usize,
}

impl Step {
    /// How many runs it takes, with those of the default.
    const fn cost(&self) -> usize {
        let all = self
            .settings
            .saturating_add(self.newcomers)
            .saturating_add(1);
        all.saturating_mul(self.runs)
    }
}

/// How many stay, of those of a round.
const KEPT: usize = 3;
/// How many go into the final rounds.
const LAST: usize = 3;
/// How many join a round.
const NEWCOMERS: usize = 4;

/// The rounds of a search among so many settings that takes about so many runs at most: with fewer runs, fewer of them
/// are tried. Where some are left out, others join that are like the best.
pub fn schedule(possible: usize, runs: usize) -> Vec<Step> {
    let fits = |settings: &usize| {
        let cost = steps(*settings, possible);
        cost.iter()
            .fold(0_usize, |all, step| all.saturating_add(step.cost()))
            <= runs
    };
    let most = possible.min(runs);
    let settings = (1..=most).rev().find(fits).unwrap_or(1);
    steps(settings.min(possible), possible)
}

fn steps(settings: usize, possible: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut left, mut runs, mut tried) = (settings, 1_usize, 0_usize);
    while left > 0 {
        let untried = possible.saturating_sub(tried.max(settings));
        let newcomers = if steps.is_empty() {
            0
        } else {
            untried.min(NEWCOMERS)
        };
        tried = tried.max(settings).saturating_add(newcomers);
        steps.push(Step {
            settings: left,
            newcomers,
            runs,
        });
        let all = left.saturating_add(newcomers);
        if all <= LAST || left <= LAST {
            break;
        }
        left = all.div_ceil(KEPT).max(LAST).min(left.saturating_sub(1));
        runs = runs.saturating_mul(2);
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(steps: &[Step]) -> usize {
        steps.iter().map(Step::cost).fold(0, usize::saturating_add)
    }

    #[test]
    fn a_third_stays_and_is_run_twice_as_often() {
        let told = |possible, runs| {
            let steps = schedule(possible, runs);
            steps
                .iter()
                .map(|step| (step.settings, step.newcomers, step.runs))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(27, 1000), [(27, 0, 1), (9, 0, 2), (3, 0, 4)]);
        assert_eq!(told(2, 1000), [(2, 0, 1)]);
        assert_eq!(told(0, 1000), []);
        // Two rounds of 12 + 1, and of 4 + 4 + 1 twice, and the last.
        let some = told(500, 60);
        assert!(some[0].0 > 6 && some[1].1 == 4, "{some:?}");
        // However little time there is, one is tried.
        assert_eq!(told(500, 0), [(1, 0, 1)]);
    }

    proptest! {
        #[test]
        fn it_ends_and_fits_and_tries_no_more_than_there_are(
            possible in 0_usize..2000, runs in 0_usize..400
        ) {
            let steps = schedule(possible, runs);
            prop_assert!(cost(&steps) <= runs.max(2) || steps[0].settings == 1);
            let first = steps.first().map_or(0, |step| step.settings);
            let newcomers = steps.iter().map(|step| step.newcomers);
            prop_assert!(newcomers.fold(first, usize::saturating_add) <= possible);
            for pair in steps.windows(2) {
                prop_assert!(pair[1].settings < pair[0].settings);
                prop_assert_eq!(pair[1].runs, pair[0].runs.saturating_mul(2));
            }
        }
    }
}
