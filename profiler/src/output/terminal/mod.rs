//! The report for people, in 80 columns: the first screen, all of it, or parts.

mod aio;
mod block;
pub mod calibration;
pub mod compare;
pub mod coverage;
mod depth;
mod device;
mod evidence;
mod fault;
mod file;
mod findings;
mod histogram;
mod io_uring;
mod ledger;
mod line;
mod off_cpu;
mod page_cache;
pub mod repeated;
mod row;
pub mod runs;
mod screen;
mod section;
mod self_report;
pub mod status;
mod style;
mod summary;
pub mod sweep;
mod syscall;
mod table;
pub mod tune;
pub mod tune_system;
mod under_way;
mod writeback;

pub use section::Section;
pub use style::Style;

use self::line::WIDTH;
use crate::{
    model::{
        device::Device,
        report::{Report, Workload},
    },
    output::format::{time, wrapped},
};

/// How much of a report is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// What fits on a screen: the answer first.
    Screen,
    /// Everything.
    Full,
    /// These sections.
    Sections(Vec<Section>),
}

/// A report. A terminal acts on nothing in it but line ends and `style`.
pub fn render(report: &Report, view: &View, style: Style) -> String {
    match view {
        View::Screen => screen::render(report, style),
        View::Full => sections(report, Section::ALL, style),
        View::Sections(wanted) => sections(report, wanted, style),
    }
}

/// The sections that are wanted, in the order of the full report.
fn sections(report: &Report, wanted: &[Section], style: Style) -> String {
    let mut text = String::new();
    let lost = ledger::alarm(report);
    // What puts the figures in doubt comes first, whatever is wanted.
    if let Some(lost) = &lost {
        text.push_str(&format!("{}\n\n", style.alarm(lost)));
    }
    let is_wanted = |section: Section| wanted.contains(&section);
    let devices = report.devices.as_deref().unwrap_or_default();
    for one in &report.workloads {
        if !is_wanted(Section::Summary) && report.workloads.len() > 1 {
            text.push_str(&format!("{}\n", style.heading(&one.name.to_string())));
        }
        for section in Section::ALL.iter().filter(|one| is_wanted(**one)) {
            if *section == Section::Findings {
                text.push_str(&findings::render(report, one));
            } else {
                text.push_str(&of_workload(*section, one, devices, style));
            }
        }
    }
    if is_wanted(Section::Devices) {
        text.push_str(&device::render(report, style));
    }
    if is_wanted(Section::Ledger) {
        text.push_str(&ledger::render(report, style));
        text.push_str(&origin(report, style));
    }
    text
}

/// Who measured, where and when.
fn origin(report: &Report, style: Style) -> String {
    let parts = [
        format!("ioprof {}", report.ioprof_version),
        format!("on {}", report.host.name),
        format!("Linux {}", report.host.kernel),
        format!("{} CPUs", report.host.cpus),
        report.started_at.to_string(),
        time(report.duration_ns),
    ];
    format!("{}\n", style.faint(&wrapped(&parts, WIDTH, "")))
}

/// A section of one workload; empty for what is not of workloads.
fn of_workload(section: Section, workload: &Workload, devices: &[Device], style: Style) -> String {
    match section {
        Section::Summary => format!("{}\n", summary::render(workload, style)),
        Section::Time => off_cpu::render(workload, style),
        Section::Processes => row::render(workload.process_rows.as_ref(), style),
        Section::Calls => {
            let calls = syscall::render(workload, style);
            format!("{calls}{}", under_way::render(workload, style))
        }
        Section::Cache => page_cache::render(workload, style),
        Section::Files => file::render(workload.files.as_ref(), style),
        Section::IoUring => {
            let uring = workload.io_uring.as_ref();
            uring.map_or_else(String::new, |uring| io_uring::render(uring, style))
        }
        Section::Aio => aio::render(&workload.aio, style),
        Section::Block => block::render(workload.block.as_deref(), devices, style),
        Section::SelfReport => self_report::render(workload),
        Section::Findings | Section::Devices | Section::Ledger => String::new(),
    }
}
