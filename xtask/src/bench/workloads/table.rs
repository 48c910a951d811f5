//! Sides that run in turn, their medians, and the table of them.

use std::error::Error;

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

    fn median(samples: &[Self]) -> Self {
        let of = |value: fn(&Self) -> Option<f64>| median(samples.iter().map(value));
        Self {
            rate: of(|sample| Some(sample.rate)).unwrap_or(0.0),
            cpu: of(|sample| sample.cpu),
            memory: of(|sample| sample.memory),
        }
    }
}

/// What a row compares ioprof with.
pub struct Other<'a> {
    name: &'static str,
    /// The program that it takes, where that may be missing.
    tool: Option<&'static str>,
    /// The ratio to reach.
    goal: f64,
    measure: Measure<'a>,
}

/// Runs a side once.
type Measure<'a> = Box<dyn FnMut() -> Result<Sample> + 'a>;

impl<'a> Other<'a> {
    pub fn new(
        name: &'static str,
        goal: f64,
        measure: impl FnMut() -> Result<Sample> + 'a,
    ) -> Self {
        Self {
            name,
            tool: None,
            goal,
            measure: Box::new(measure),
        }
    }

    /// It takes this program.
    pub fn with(mut self, tool: &'static str) -> Self {
        self.tool = Some(tool);
        self
    }
}

/// Lines of the table that were measured, and why others were not.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    missing_tools: Vec<String>,
    failures: Vec<String>,
}

/// Two sides of a comparison.
struct Row {
    what: &'static str,
    unit: &'static str,
    ours: Sample,
    other: &'static str,
    theirs: Sample,
    goal: f64,
}

impl Table {
    /// Runs all sides in turn, those left out whose tool is missing or that fail.
    pub fn measure(
        &mut self,
        (what, unit): (&'static str, &'static str),
        mut ours: impl FnMut() -> Result<Sample>,
        others: Vec<Other<'_>>,
        is_there: impl Fn(&str) -> bool,
    ) {
        eprintln!("{what}");
        let (mut others, missing): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|other| other.tool.is_none_or(&is_there));
        for other in missing {
            let tool = other.tool.unwrap_or_default();
            self.missing_tools.push(format!(
                "{what}, against {}: {tool} is not installed",
                other.name
            ));
        }
        let mut samples = vec![Vec::new(); others.len()];
        let mut our_samples = Vec::new();
        for _ in 0..RUNS {
            if others.is_empty() {
                return;
            }
            match ours() {
                Ok(sample) => our_samples.push(sample),
                Err(error) => return self.failed(what, &*error),
            }
            let mut at = 0;
            while let Some(other) = others.get_mut(at) {
                match (other.measure)() {
                    Ok(sample) => {
                        samples[at].push(sample);
                        at += 1;
                    }
                    Err(error) => {
                        self.failed(&format!("{what}, against {}", other.name), &*error);
                        others.remove(at);
                        samples.remove(at);
                    }
                }
            }
        }
        let ours = Sample::median(&our_samples);
        for (other, samples) in others.iter().zip(&samples) {
            let row = Row {
                what,
                unit,
                ours,
                other: other.name,
                theirs: Sample::median(samples),
                goal: other.goal,
            };
            eprintln!("  {}: {:.2}", row.other, row.ratio());
            self.rows.push(row);
        }
    }

    /// Something could not be measured.
    pub fn failed(&mut self, what: &str, error: &dyn Error) {
        eprintln!("  failed: {error}");
        self.failures.push(format!("{what}: {error}"));
    }

    /// How many sides or rows failed; a missing tool is no failure.
    pub fn failures(&self) -> usize {
        self.failures.len()
    }

    /// As Markdown, to be kept in docs/benchmarks.md, and what was left out.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "| what | unit | ioprof | against | | ratio | goal | CPU per operation, ratio | peak memory |\n\
             |---|---|---:|---|---:|---:|---:|---:|---:|\n",
        );
        text.extend(self.rows.iter().map(Row::line));
        for reason in self.missing_tools.iter().chain(&self.failures) {
            text += &format!("\nleft out: {reason}");
        }
        text.trim_end().to_owned() + "\n"
    }
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours.rate / self.theirs.rate
    }

    fn line(&self) -> String {
        let memory = self.ours.memory.map_or_else(String::new, |bytes| {
            format!("{:.1} MiB", bytes / f64::from(1 << 20))
        });
        let cpu = match (self.ours.cpu, self.theirs.cpu) {
            (Some(ours), Some(theirs)) if theirs > 0.0 => format!("{:.2}", ours / theirs),
            _ => String::new(),
        };
        format!(
            "| {} | {} | {:.0} | {} | {:.0} | {:.2} | {:.1} | {cpu} | {memory} |\n",
            self.what,
            self.unit,
            self.ours.rate,
            self.other,
            self.theirs.rate,
            self.ratio(),
            self.goal
        )
    }
}

/// The middle of the values; `None` where one is missing.
fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::{Other, RUNS, Sample, Table};

    #[test]
    fn what_was_measured_is_kept_when_another_side_fails() {
        let mut table = Table::default();
        let mut turns = 0;
        let others = vec![
            Other::new("none", 1.0, || unreachable!("its tool is missing")).with("xxhsum"),
            Other::new("half", 2.0, || Ok(Sample::rate(50.0))).with("fio"),
            Other::new("broken", 1.0, || {
                turns += 1;
                if turns == RUNS {
                    return Err("it broke".into());
                }
                Ok(Sample::rate(1.0))
            }),
        ];
        table.measure(
            ("copy", "MiB/s"),
            || Ok(Sample::rate(100.0)),
            others,
            |tool| tool == "fio",
        );
        table.measure(
            ("late", "IOPS"),
            || Err("no disk".into()),
            vec![Other::new("x", 1.0, || Ok(Sample::rate(1.0)))],
            |_| true,
        );
        let text = table.text();
        assert!(
            text.contains("| copy | MiB/s | 100 | half | 50 | 2.00 | 2.0 |"),
            "{text}"
        );
        assert!(
            text.contains("left out: copy, against none: xxhsum is not installed\n"),
            "{text}"
        );
        assert!(
            text.contains("left out: copy, against broken: it broke\n"),
            "{text}"
        );
        assert!(text.ends_with("left out: late: no disk\n"), "{text}");
        assert_eq!(table.failures(), 2);
    }

    #[test]
    fn nothing_is_run_that_is_compared_with_nothing() {
        let mut table = Table::default();
        let others = vec![Other::new("fio", 1.0, || unreachable!("it is missing")).with("fio")];
        table.measure(
            ("copy", "MiB/s"),
            || unreachable!("alone"),
            others,
            |_| false,
        );
        assert_eq!(table.failures(), 0);
    }
}
