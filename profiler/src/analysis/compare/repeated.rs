//! Runs of the same work, without others to compare them with: medians, and how far the runs are apart.

use super::{Both, Comparison, compare_by, resample::Resamples, times};
use crate::model::report::{Report, Workload};

/// What runs have in common, and what not.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// The runs compared with themselves, without intervals: what varies, and the same on both sides.
    pub itself: Comparison,
    /// The wall time of each workload and the parts of it, the largest first.
    pub times: Vec<Vec<Spread>>,
}

/// A time of several runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// As gates name it, without the number of the workload.
    pub metric: String,
    /// Nanoseconds: the median.
    pub median_ns: u64,
    /// The least.
    pub min_ns: u64,
    /// The most.
    pub max_ns: u64,
}

/// What runs have in common.
///
/// # Errors
///
/// Where one has more workloads than another, and where there is none.
pub fn repeated(runs: &[Report]) -> Result<Repeated, Both<usize>> {
    let resamples = Resamples::undrawn([runs.len(); 2]);
    let itself = compare_by(runs, runs, (&resamples, &[]))?;
    let times = (0..itself.workloads.len()).map(|at| {
        let workloads = runs.iter().filter_map(|report| report.workloads.get(at));
        spreads(&workloads.collect::<Vec<_>>())
    });
    Ok(Repeated {
        times: times.collect(),
        itself,
    })
}

fn spreads(runs: &[&Workload]) -> Vec<Spread> {
    let walls = runs.iter().map(|run| times::float(run.span_ns())).collect();
    let parts = times::parts(runs).unwrap_or_default();
    let names = times::names(&parts);
    let of_part = |name: &&str| {
        let values = parts
            .iter()
            .map(|run| run.get(*name).copied().unwrap_or(0.0));
        spread(format!("time.{name}"), values.collect())
    };
    let mut spreads: Vec<_> = names.iter().filter_map(of_part).collect();
    spreads.sort_by_key(|one| std::cmp::Reverse(one.median_ns));
    let wall = spread("wall".into(), walls);
    wall.into_iter().chain(spreads).collect()
}

fn spread(metric: String, values: Vec<f64>) -> Option<Spread> {
    let least = values.iter().copied().min_by(f64::total_cmp)?;
    let most = values.iter().copied().max_by(f64::total_cmp)?;
    Some(Spread {
        metric,
        median_ns: times::whole(super::resample::Sample::of(values).median_of_all()?),
        min_ns: times::whole(least),
        max_ns: times::whole(most),
    })
}
