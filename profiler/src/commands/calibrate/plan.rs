//! What a calibration measures, and how long each point may take.

use std::time::{Duration, Instant};

use crate::model::calibration::{Mode, Operation, Pattern};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The largest depth, and what may be in flight at once.
const DEEPEST: u64 = 256;
const IN_FLIGHT: u64 = 64 * MIB;
/// How much more time a ceiling is given at the end than a point before.
pub const AGAIN: u32 = 5;
/// What a point is given at least: six steps of the least length, and one before.
const LEAST: Duration = Duration::from_millis(200);

/// What is measured.
pub struct Plan {
    /// How thorough it is.
    pub mode: Mode,
    /// How long it takes, about.
    pub budget: Duration,
    /// How long filling the file may take.
    pub filling: Duration,
    /// The bytes of the file.
    pub file_bytes: u64,
    /// Sizes of random operations.
    random: &'static [u64],
    /// Those of sequential ones.
    sequential: &'static [u64],
    /// The parts of reads in mixes.
    pub mixes: &'static [u8],
    /// How many times the depth before a depth is.
    growth: u64,
    /// How many depths a series has, about.
    pub depths: u32,
}

/// The loads of a series.
pub type Kind = (Operation, Pattern, u64);

impl Plan {
    /// That of a mode.
    pub const fn of(mode: Mode) -> Self {
        const SIZES: &[u64] = &[4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB];
        const ALL: &[u64] = &[
            4 * KIB,
            8 * KIB,
            16 * KIB,
            32 * KIB,
            64 * KIB,
            128 * KIB,
            256 * KIB,
            512 * KIB,
            MIB,
        ];
        match mode {
            Mode::Quick => Self {
                mode,
                budget: Duration::from_secs(10),
                filling: Duration::from_millis(1500),
                file_bytes: 256 * MIB,
                random: &[4 * KIB, 64 * KIB],
                sequential: &[MIB],
                mixes: &[70],
                growth: 4,
                depths: 4,
            },
            Mode::Standard => Self {
                mode,
                budget: Duration::from_secs(60),
                filling: Duration::from_secs(8),
                file_bytes: 1024 * MIB,
                random: SIZES,
                sequential: SIZES,
                mixes: &[0, 30, 50, 70, 100],
                growth: 2,
                depths: 7,
            },
            Mode::Thorough => Self {
                mode,
                budget: Duration::from_secs(600),
                filling: Duration::from_secs(60),
                file_bytes: 4096 * MIB,
                random: ALL,
                sequential: ALL,
                mixes: &[0, 30, 50, 70, 100],
                growth: 2,
                depths: 7,
            },
        }
    }

    /// The series, in turn.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for (pattern, sizes) in [
            (Pattern::Random, self.random),
            (Pattern::Sequential, self.sequential),
        ] {
            for operation in [Operation::Read, Operation::Write] {
                kinds.extend(sizes.iter().map(|size| (operation, pattern, *size)));
            }
        }
        kinds
    }

    /// The depths of a series.
    pub fn depths_of(&self, size: u64) -> impl Iterator<Item = u64> + use<> {
        let (growth, deepest) = (self.growth, DEEPEST.min(IN_FLIGHT / size));
        std::iter::successors(Some(1), move |depth| Some(depth * growth))
            .take_while(move |depth| *depth <= deepest)
    }
}

/// Shares the time that is left among the points that are left.
pub struct Clock {
    end: Instant,
    /// In the time of one before the end.
    points: u32,
}

impl Clock {
    /// Starts now.
    pub fn start(plan: &Plan) -> Self {
        let series = plan.kinds().len() as u32;
        // And appends, buffered reads and the page cache.
        let points = series * (plan.depths + AGAIN) + plan.mixes.len() as u32 + 3;
        Self {
            end: Instant::now() + plan.budget,
            points,
        }
    }

    /// How many points there are left, about.
    pub const fn points(&self) -> u32 {
        self.points
    }

    /// At most so many are left.
    pub fn at_most(&mut self, points: u32) {
        self.points = self.points.min(points);
    }

    /// The limit of the next point, which has the time of so many.
    pub fn next(&mut self, weight: u32) -> Duration {
        let left = self.end.saturating_duration_since(Instant::now());
        let points = self.points.max(1);
        self.points = self.points.saturating_sub(weight);
        // Most are steady before.
        (left * 3 / 2 / points).max(LEAST) * weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_grow_up_to_what_may_be_in_flight() {
        let of = |mode, size| Plan::of(mode).depths_of(size).collect::<Vec<_>>();
        assert_eq!(
            of(Mode::Standard, 4 * KIB),
            [1, 2, 4, 8, 16, 32, 64, 128, 256]
        );
        assert_eq!(of(Mode::Standard, MIB), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(of(Mode::Quick, 4 * KIB), [1, 4, 16, 64, 256]);
    }

    #[test]
    fn a_point_has_its_share_of_the_time_and_enough_of_it_when_there_is_none() {
        let mut clock = Clock::start(&Plan::of(Mode::Standard));
        let points = clock.points();
        assert_eq!(points, 20 * 12 + 5 + 3);
        assert!(clock.next(1) <= Duration::from_secs(60) * 3 / 2 / points);
        assert_eq!(clock.points(), points - 1);
        clock.end = Instant::now();
        assert_eq!(clock.next(1), LEAST);
        clock.at_most(0);
        assert_eq!(clock.next(AGAIN), LEAST * AGAIN);
    }
}
