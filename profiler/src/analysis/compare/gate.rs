//! What the second side has to hold for a comparison to pass: `fdatasync.calls<=-90%`, `wall>+5%:fail`.

use serde::Serialize;

use super::{Amount, Both, Comparison, Interval, Span, Timing};
use crate::analysis::time_spent::Activity;

/// What a gate looks like.
pub const EXPECTED: &str = "METRIC<=LIMIT is expected (or >=, ==), or METRIC>LIMIT:fail (or <), with a limit such as 100, \
                            or -90% or +0% of the first side's figure, as in fdatasync.calls<=-90%";

/// A condition on a figure of the second side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The figure, as rows name it.
    pub metric: String,
    /// How it has to compare.
    pub operator: Operator,
    /// With what.
    pub limit: Limit,
    /// What makes it fail.
    pub fails: Fails,
}

/// What makes a gate fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// That its condition is not shown to hold.
    UnlessShown,
    /// That its condition is shown not to hold.
    IfRefuted,
}

/// How a figure has to compare with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// At most.
    AtMost,
    /// At least.
    AtLeast,
    /// Neither more nor less.
    Equal,
}

/// How gates are written.
const OPERATORS: [(&str, Operator); 3] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("==", Operator::Equal),
];

/// Those that end in `:fail`: the sign says what must not be.
const REFUTED: [(&str, Operator); 2] = [(">", Operator::AtMost), ("<", Operator::AtLeast)];

/// What a figure is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A number, in thousandths.
    Absolute(u64),
    /// The first side's figure and so much of it, in thousandths of a percent; -100 % at least.
    Relative(i64),
}

/// How a gate came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// Whether the comparison passes it.
    pub passes: bool,
    /// What the figures say of its condition.
    pub condition: Outcome,
    /// The counts; null where it is about a time.
    pub count: Option<Both<Option<Span>>>,
    /// The time; null where it is about a count, and where no run has that time.
    pub time: Option<Timing>,
}

/// What figures say of the condition of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds: of a count in all runs, of a time in all of the interval.
    Holds,
    /// It does not: in no run, or in nothing of the interval.
    Fails,
    /// Neither, or a figure is not known.
    Undecided,
}

/// Why a gate cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is about a time, and its limit is no percentage.
    AbsoluteTime,
    /// There is no such time.
    UnknownTime,
    /// There is no such count.
    UnknownMetric,
}

/// All of a percentage, in thousandths of a percent.
const WHOLE: i64 = 100_000;

impl Gate {
    /// Reads a gate; none where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (text, signs, fails) = match text.trim_end().strip_suffix(":fail") {
            Some(text) => (text, &REFUTED[..], Fails::IfRefuted),
            None => (text, &OPERATORS[..], Fails::UnlessShown),
        };
        let places = signs.iter().filter_map(|(sign, operator)| {
            let (metric, limit) = text.split_once(sign)?;
            Some((metric.trim(), *operator, limit.trim()))
        });
        let (metric, operator, limit) = places.min_by_key(|(metric, ..)| metric.len())?;
        (!metric.is_empty()).then_some(())?;
        Some(Self {
            metric: metric.to_owned(),
            operator,
            limit: Limit::parse(limit)?,
            fails,
        })
    }

    /// Whether a comparison passes. A metric that no report has is 0 on both sides where `is_known` knows it.
    ///
    /// # Errors
    ///
    /// Where there is no such figure.
    pub fn decide(
        &self,
        comparison: &Comparison,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Verdict, Refused> {
        let of_workload = self.metric.split_once(':');
        let metric = of_workload.map_or(self.metric.as_str(), |(_, metric)| metric);
        let mut rows = comparison.rows();
        if let Some(row) = rows.find(|row| row.metric == self.metric) {
            return Ok(self.of_count(row.amount));
        }
        if let Some(timing) = comparison.timings().find(|one| one.metric == self.metric) {
            return self.of_time(Some(timing));
        }
        let is_of_a_workload = self.is_of_a_workload(comparison);
        if is_time(metric) {
            let is_known = is_of_a_workload && (is_time_of_all(metric) || is_known(metric));
            let none = self.absent_part(comparison, metric);
            return match is_known {
                true => self.of_time(none.as_ref()),
                false => Err(Refused::UnknownTime),
            };
        }
        let none = Some(Span::same(Amount::NONE));
        match is_of_a_workload && is_known(metric) {
            true => Ok(self.of_count(Both {
                before: none,
                after: none,
            })),
            false => Err(Refused::UnknownMetric),
        }
    }

    /// Whether its prefix is the number of a workload where there are several, and absent where there is one.
    fn is_of_a_workload(&self, comparison: &Comparison) -> bool {
        let all = comparison.workloads.len();
        match self.metric.split_once(':') {
            Some((number, _)) => {
                all > 1
                    && number
                        .parse()
                        .is_ok_and(|number| (1..=all).contains(&number))
            }
            None => all == 1,
        }
    }

    /// The part of a wall time that it is about, where the parts are known and this is none of them: nothing.
    fn absent_part(&self, comparison: &Comparison, metric: &str) -> Option<Timing> {
        let part = part(metric)?;
        let number = self.metric.split_once(':').map(|(number, _)| number);
        let number: usize = number.map_or(Ok(1), str::parse).ok()?;
        let workload = comparison.workloads.get(number.checked_sub(1)?)?;
        let is_undivided = |one: &Timing| one.metric.ends_with("time.cpu");
        let is_known = match part {
            Activity::User | Activity::Calls | Activity::Probes => {
                !workload.time.iter().any(is_undivided)
            }
            Activity::Cpu => false,
            _ => true,
        };
        let beside = workload.time.first().filter(|_| is_known)?;
        Some(Timing::of_nothing(&self.metric, beside))
    }

    fn verdict(&self, condition: Outcome) -> Verdict {
        let passes = match self.fails {
            Fails::UnlessShown => condition == Outcome::Holds,
            Fails::IfRefuted => condition != Outcome::Fails,
        };
        Verdict {
            passes,
            condition,
            count: None,
            time: None,
        }
    }

    fn of_count(&self, count: Both<Option<Span>>) -> Verdict {
        let condition = self.condition(count).unwrap_or(Outcome::Undecided);
        Verdict {
            count: Some(count),
            ..self.verdict(condition)
        }
    }

    /// None where a figure that it takes is not known.
    fn condition(&self, count: Both<Option<Span>>) -> Option<Outcome> {
        // Both sides in thousandths of hundred-thousandths: no division, no rounding.
        let whole = u128::from(WHOLE.unsigned_abs());
        let found = |amount: Amount| Some(amount.thousandths()?.saturating_mul(whole));
        let after = count.after?;
        let after = found(after.min)?..=found(after.max)?;
        let limit = match self.limit {
            Limit::Absolute(thousandths) => {
                let limit = u128::from(thousandths).saturating_mul(whole);
                limit..=limit
            }
            Limit::Relative(change) => {
                let part = WHOLE.saturating_add(change).max(0).unsigned_abs();
                let limit =
                    |amount: Amount| Some(amount.thousandths()?.saturating_mul(part.into()));
                let before = count.before?;
                limit(before.min)?..=limit(before.max)?
            }
        };
        Some(self.between(after, limit))
    }

    fn of_time(&self, timing: Option<&Timing>) -> Result<Verdict, Refused> {
        let Limit::Relative(change) = self.limit else {
            return Err(Refused::AbsoluteTime);
        };
        #[expect(clippy::cast_precision_loss, reason = "it has eight digits or so")]
        let limit = change as f64 / WHOLE as f64;
        // No division, as a time may have been 0 before.
        let beyond = timing.and_then(|timing| timing.draws.as_ref());
        let beyond =
            beyond.and_then(|draws| draws.interval(|before, after| after - (1.0 + limit) * before));
        let condition = beyond.map_or(Outcome::Undecided, |Interval { low, high }| {
            self.between(low..=high, 0.0..=0.0)
        });
        Ok(Verdict {
            time: timing.cloned(),
            ..self.verdict(condition)
        })
    }

    /// Whether all that the figure may be compares so with all that the limit may be.
    fn between<T: PartialOrd>(
        &self,
        found: std::ops::RangeInclusive<T>,
        limit: std::ops::RangeInclusive<T>,
    ) -> Outcome {
        let is_above = found.start() > limit.end();
        let is_below = found.end() < limit.start();
        let (holds, fails) = match self.operator {
            Operator::AtMost => (found.end() <= limit.start(), is_above),
            Operator::AtLeast => (found.start() >= limit.end(), is_below),
            Operator::Equal => (
                found.start() == limit.end() && found.end() == limit.start(),
                is_above || is_below,
            ),
        };
        match (holds, fails) {
            (true, _) => Outcome::Holds,
            (_, true) => Outcome::Fails,
            _ => Outcome::Undecided,
        }
    }
}

impl Limit {
    fn parse(text: &str) -> Option<Self> {
        let Some(percentage) = text.strip_suffix('%') else {
            return Some(Self::Absolute(thousandths(text)?));
        };
        let (is_less, size) = match percentage.strip_prefix('-') {
            Some(size) => (true, size),
            None => (false, percentage.strip_prefix('+')?),
        };
        let size = i64::try_from(thousandths(size.trim_end())?).ok()?;
        match is_less {
            true if size > WHOLE => None,
            true => Some(Self::Relative(size.checked_neg()?)),
            false => Some(Self::Relative(size)),
        }
    }
}

/// A decimal number of at most three decimals, in thousandths.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    (is_number(whole) && is_number(fraction) && fraction.len() <= 3).then_some(())?;
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1000)?.checked_add(fraction)
}

/// Whether this is what reports have of times.
fn is_time(metric: &str) -> bool {
    let last = metric.rsplit('.').next().unwrap_or_default();
    ["wall", "cpu", "time", "latency", "duration"].contains(&metric)
        || ["time", "latency", "p50", "p90", "p99", "p999"].contains(&last)
        || last.ends_with("_ns")
        || metric.starts_with("time.")
}

/// Whether this is a time that any workload may have, whether or not these reports do.
fn is_time_of_all(metric: &str) -> bool {
    part(metric).is_some() || super::latency::is_of_requests(metric)
}

/// The part of a wall time that a metric is about.
fn part(metric: &str) -> Option<Activity> {
    let part = metric.strip_prefix("time.")?;
    Activity::ALL.into_iter().find(|one| one.key() == part)
}
