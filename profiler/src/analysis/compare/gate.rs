//! What the second report has to hold for a comparison to pass: `fdatasync.calls<=-90%`.

use serde::Serialize;

use super::{Amount, Both, Comparison};

/// What a gate looks like.
pub const EXPECTED: &str = "METRIC<=LIMIT is expected (or >=, ==), with a limit such as 100, or -90% or +0% of the first \
                            report's figure, as in fdatasync.calls<=-90%";

/// A condition on a count of the second report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The count, as rows name it.
    pub metric: String,
    /// How it has to compare.
    pub operator: Operator,
    /// With what.
    pub limit: Limit,
}

/// How a count has to compare with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// At most.
    AtMost,
    /// At least.
    AtLeast,
    /// Neither more nor less.
    Equal,
}

const OPERATORS: [(&str, Operator); 3] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("==", Operator::Equal),
];

/// What a count is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A number, in thousandths.
    Absolute(u64),
    /// The first report's figure and so much of it, in thousandths of a percent; -100 % at least.
    Relative(i64),
}

/// How a gate came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it holds. What is not known holds nothing.
    pub holds: bool,
    /// The figures.
    #[serde(flatten)]
    pub amount: Both<Amount>,
}

/// Why a gate cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is about a time, and one run on each side says nothing about times.
    Time,
    /// There is no such count.
    UnknownMetric,
}

/// All of a percentage, in thousandths of a percent.
const WHOLE: i64 = 100_000;

impl Gate {
    /// Reads a gate; none where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let places = OPERATORS.iter().filter_map(|(sign, operator)| {
            let (metric, limit) = text.split_once(sign)?;
            Some((metric.trim(), *operator, limit.trim()))
        });
        let (metric, operator, limit) = places.min_by_key(|(metric, ..)| metric.len())?;
        (!metric.is_empty()).then_some(())?;
        Some(Self {
            metric: metric.to_owned(),
            operator,
            limit: Limit::parse(limit)?,
        })
    }

    /// Whether a comparison passes. A metric that no report has is 0 in both where `is_known` knows it.
    ///
    /// # Errors
    ///
    /// Where there is no such count.
    pub fn decide(
        &self,
        comparison: &Comparison,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Verdict, Refused> {
        let of_workload = self.metric.split_once(':');
        let metric = of_workload.map_or(self.metric.as_str(), |(_, metric)| metric);
        let found = comparison.rows().find(|row| row.metric == self.metric);
        let amount = match found {
            Some(row) => row.amount,
            None if is_time(metric) => return Err(Refused::Time),
            None if self.is_of_a_workload(comparison) && is_known(metric) => Both {
                before: Amount::NONE,
                after: Amount::NONE,
            },
            None => return Err(Refused::UnknownMetric),
        };
        Ok(Verdict {
            holds: self.holds(amount).unwrap_or(false),
            amount,
        })
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

    /// None where a figure that it takes is not known.
    fn holds(&self, amount: Both<Amount>) -> Option<bool> {
        let after = amount.after.thousandths()?;
        // Both sides in thousandths of hundred-thousandths: no division, no rounding.
        let found = after.saturating_mul(WHOLE.unsigned_abs().into());
        let limit = match self.limit {
            Limit::Absolute(thousandths) => {
                u128::from(thousandths).saturating_mul(WHOLE.unsigned_abs().into())
            }
            Limit::Relative(change) => {
                let part = WHOLE.saturating_add(change).max(0).unsigned_abs();
                amount.before.thousandths()?.saturating_mul(part.into())
            }
        };
        Some(match self.operator {
            Operator::AtMost => found <= limit,
            Operator::AtLeast => found >= limit,
            Operator::Equal => found == limit,
        })
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
