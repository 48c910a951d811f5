//! The report for people, in 80 columns.

mod aio;
mod block;
pub mod coverage;
mod depth;
mod device;
mod fault;
mod file;
mod findings;
mod histogram;
mod io_uring;
mod ledger;
mod line;
mod off_cpu;
mod page_cache;
mod self_report;
mod style;
mod summary;
mod syscall;
mod table;
mod under_way;
mod writeback;

pub use style::Style;

use self::line::WIDTH;
use crate::{
    model::{
        device::Device,
        report::{Report, Workload},
    },
    output::format::{time, wrapped},
};

/// The whole report. A terminal acts on nothing in it but line ends and `style`.
pub fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    let lost = ledger::alarm(report);
    // What puts the figures in doubt comes first.
    if let Some(lost) = &lost {
        text.push_str(&format!("{}\n\n", style.alarm(lost)));
    }
    let found = findings::findings(report).join("\n");
    text.push_str(&format!("{found}\n\n"));
    for part in &report.workloads {
        text.push_str(&workload(
            part,
            report.devices.as_deref().unwrap_or_default(),
            style,
        ));
    }
    text.push_str(&device::render(report, style));
    text.push_str(&ledger::render(report, style));
    let parts = [
        format!("ioprof {}", report.ioprof_version),
        format!("on {}", report.host.name),
        format!("Linux {}", report.host.kernel),
        format!("{} CPUs", report.host.cpus),
        report.started_at.to_string(),
        time(report.duration_ns),
    ];
    text.push_str(&style.faint(&wrapped(&parts, WIDTH, "")));
    text.push('\n');
    text
}

/// Everything about one workload.
fn workload(workload: &Workload, devices: &[Device], style: Style) -> String {
    let uring = workload.io_uring.as_ref();
    [
        summary::render(workload, style),
        "\n".to_owned(),
        off_cpu::render(workload, style),
        syscall::render(workload, style),
        under_way::render(workload, style),
        page_cache::render(workload, style),
        file::render(workload.files.as_ref(), style),
        uring.map_or_else(String::new, |uring| io_uring::render(uring, style)),
        aio::render(&workload.aio, style),
        block::render(workload.block.as_deref(), devices, style),
        self_report::render(workload),
    ]
    .concat()
}
