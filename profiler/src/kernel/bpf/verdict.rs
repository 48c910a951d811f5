//! What became of each probe.

use super::{
    counters::Runs,
    probes::{Feature, Probe},
};

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ran.
    Attached,
    /// Another does its work on this kernel, or it was not requested.
    NotNeeded {
        /// The reason.
        reason: String,
    },
    /// The kernel has no such tracepoint, or the user excluded it.
    Absent {
        /// The reason.
        reason: String,
    },
    /// The kernel rejected it.
    Refused {
        /// The kernel's words.
        reason: String,
    },
}

impl Verdict {
    /// Why what the probe counts is unknown; none where it is not.
    pub fn reason_missing(&self) -> Option<&str> {
        match self {
            Self::Attached | Self::NotNeeded { .. } => None,
            Self::Absent { reason } | Self::Refused { reason } => Some(reason),
        }
    }
}

/// A probe and what became of it.
#[derive(Clone, Debug)]
pub struct AttachedProbe {
    /// The probe.
    pub probe: &'static Probe,
    /// What became of it.
    pub verdict: Verdict,
    /// Its measured runs; none before the end of a session, and where they are not known.
    pub runs: Option<Runs>,
}

/// All probes of a session, in the order of [`super::probes::PROBES`].
#[derive(Clone, Debug, Default)]
pub struct AttachedProbes(Vec<AttachedProbe>);

impl AttachedProbes {
    /// These probes. One that a substitute replaces is not missing.
    pub fn new(mut probes: Vec<AttachedProbe>) -> Self {
        let substitutes: Vec<(&str, &str)> = probes
            .iter()
            .filter(|one| one.verdict == Verdict::Attached)
            .filter_map(|one| match one.probe.feature {
                Feature::InsteadOf(other) => Some((one.probe.program, other)),
                _ => None,
            })
            .collect();
        for (program, other) in substitutes {
            for replaced in probes.iter_mut().filter(|one| one.probe.program == other) {
                replaced.verdict = Verdict::NotNeeded {
                    reason: format!("{program} does its work"),
                };
            }
        }
        Self(probes)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &AttachedProbe> {
        self.0.iter()
    }

    /// Whether no probe of a feature is missing: without one of them the others mislead.
    pub fn has(&self, feature: Feature) -> bool {
        let mut probes = self.of(feature);
        probes.all(|one| one.verdict.reason_missing().is_none())
    }

    /// Whether a probe of a feature is attached.
    pub fn is_attached(&self, feature: Feature) -> bool {
        self.of(feature).any(|one| one.verdict == Verdict::Attached)
    }

    fn of(&self, feature: Feature) -> impl Iterator<Item = &AttachedProbe> {
        self.iter().filter(move |one| one.probe.feature == feature)
    }

    /// The programs; none in place of one that is not attached.
    pub fn attached_programs(&self) -> impl Iterator<Item = Option<&'static str>> {
        self.iter()
            .map(|one| (one.verdict == Verdict::Attached).then_some(one.probe.program))
    }

    /// Sets the measured runs of each program, by its index.
    pub fn set_runs(&mut self, runs: impl Fn(usize) -> Option<Runs>) {
        for (index, one) in self.0.iter_mut().enumerate() {
            one.runs = runs(index);
        }
    }
}
