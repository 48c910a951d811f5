//! The time of the verdict as a bar.

use super::{
    super::{line::WIDTH, style::Style},
    verdict::{ONE_PERCENT, percent, told},
};
use crate::{analysis::busiest, model::report::Workload, output::text::width};

/// So many columns are kept for blocks.
const BLOCKS: usize = 20;

/// The parts of the time, each as a word and as blocks; nothing where they are unknown.
pub fn render(workload: &Workload, style: Style) -> String {
    let Some(spent) = told(workload, busiest(workload).as_ref()) else {
        return String::new();
    };
    let columns = WIDTH.saturating_add(style.spare());
    let mut parts: Vec<(&str, f64)> = spent
        .parts
        .iter()
        .filter(|part| part.share >= ONE_PERCENT)
        .map(|part| (part.activity.word(), part.share))
        .collect();
    let labels = |parts: &[(&str, f64)]| -> Vec<String> {
        let rest = 1.0 - parts.iter().fold(0.0, |sum, (_, share)| sum + share);
        let rest = Some(("other", rest)).filter(|(_, share)| *share >= ONE_PERCENT);
        let all = parts.iter().copied().chain(rest);
        all.map(|(word, share)| format!("{word} {}", percent(share)))
            .collect()
    };
    let taken = |labels: &[String]| {
        let widths = labels.iter().map(|label| width(label).saturating_add(2));
        widths.fold(0, usize::saturating_add)
    };
    while parts.len() > 1 && taken(&labels(&parts)).saturating_add(BLOCKS) > columns {
        parts.pop();
    }
    let labels = labels(&parts);
    let blocks = columns.saturating_sub(taken(&labels));
    let shares = parts.iter().map(|(_, share)| *share);
    let shares = shares.chain(std::iter::once(0.0)).take(labels.len());
    let drawn: Vec<_> = labels
        .iter()
        .zip(shares)
        .map(|(label, share)| {
            let blocks = "#".repeat(blocks_of(share, blocks));
            format!("{label} {blocks}").trim_end().to_owned()
        })
        .collect();
    format!("{}\n", drawn.join(" "))
}

/// Never more than fit: what a fraction of a block is left out.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1 of some hundred columns"
)]
fn blocks_of(share: f64, all: usize) -> usize {
    (share.clamp(0.0, 1.0) * all as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::{super::verdict::tests::workload, *};
    use crate::model::off_cpu::OffCpu;

    #[test]
    fn the_bar_has_the_width_it_is_given_and_no_more() {
        let one = workload(OffCpu {
            service_ns: 40,
            runnable_ns: 20,
            throttled_ns: 12,
            journal_ns: 10,
            fault_ns: 8,
            sleep_ns: 6,
            idle_ns: 2,
            unknown_ns: 2,
            ..OffCpu::default()
        });
        assert_eq!(
            render(&one, Style::PLAIN),
            "device 40 % ######## CPU wait 20 % #### dirty limit 12 % ## other 28 %\n"
        );
        let wide = render(&one, Style::PLAIN.of_width(160));
        assert!(
            wide.contains("unknown 2 %") && width(wide.trim()) <= 160,
            "{wide}"
        );
        for part in ["device 100 %", "\n"] {
            let one = workload(OffCpu {
                service_ns: 1,
                ..OffCpu::default()
            });
            assert!(render(&one, Style::PLAIN).contains(part));
        }
    }
}
