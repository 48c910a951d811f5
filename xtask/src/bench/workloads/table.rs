//! Sides that run in turn, their medians, and the table of them.

use super::Result;

/// Runs of each side of a row.
const RUNS: usize = 5;

/// What one run of one side gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// The figure that the row is about; more is better.
    pub rate: f64,
    /// CPU seconds per operation or file, where that is compared too.
    pub cpu: Option<f64>,
    /// Peak of resident memory in bytes, where known.
    pub memory: Option<f64>,
}

impl Sample {
    pub fn rate(rate: f64) -> Self {
        Self {
            rate,
            ..Self::default()
        }
    }
}

/// One side of a row: its name and how to run it once.
pub type Side<'a> = (&'a str, Box<dyn FnMut() -> Result<Sample> + 'a>);

/// A line of the table.
pub struct Row {
    pub what: &'static str,
    pub unit: &'static str,
    pub ours: Sample,
    pub others: Vec<(String, Sample, f64)>,
}

/// Runs all sides in turn; `goals` are the ratios to reach against each of the others.
pub fn row(
    what: &'static str,
    unit: &'static str,
    mut sides: Vec<Side<'_>>,
    goals: &[f64],
) -> Result<Row> {
    eprintln!("{what}");
    let mut samples = vec![Vec::new(); sides.len()];
    for _ in 0..RUNS {
        for ((_, measure), samples) in sides.iter_mut().zip(&mut samples) {
            samples.push(measure()?);
        }
    }
    let mut medians = samples.iter().map(|samples| Sample {
        rate: median(samples.iter().map(|sample| Some(sample.rate))).unwrap_or(0.0),
        cpu: median(samples.iter().map(|sample| sample.cpu)),
        memory: median(samples.iter().map(|sample| sample.memory)),
    });
    let ours = medians.next().unwrap_or_default();
    let names = sides.iter().skip(1).map(|(name, _)| (*name).to_owned());
    let others = names
        .zip(medians)
        .zip(goals)
        .map(|((name, sample), goal)| (name, sample, *goal))
        .collect();
    Ok(Row {
        what,
        unit,
        ours,
        others,
    })
}

/// The middle of the values; `None` where one is missing.
pub fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// As Markdown, to be kept in docs/benchmarks.md.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| what | unit | ioprof | against | | ratio | goal | CPU per operation, ratio | peak memory |\n",
    );
    text.push_str("|---|---|---:|---|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let memory = row.ours.memory.map_or_else(String::new, |bytes| {
            format!("{:.1} MiB", bytes / f64::from(1 << 20))
        });
        for (name, other, goal) in &row.others {
            let cpu = match (row.ours.cpu, other.cpu) {
                (Some(ours), Some(other)) if other > 0.0 => format!("{:.2}", ours / other),
                _ => String::new(),
            };
            let (what, unit, ratio) = (row.what, row.unit, row.ours.rate / other.rate);
            text.push_str(&format!(
                "| {what} | {unit} | {:.0} | {name} | {:.0} | {ratio:.2} | {goal:.1} | {cpu} | {memory} |\n",
                row.ours.rate, other.rate
            ));
        }
    }
    text
}
