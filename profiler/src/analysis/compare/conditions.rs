//! What makes two reports hard to compare.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    analysis::reliability::doubts,
    model::report::{Kind, Report, Workload},
    text::Text,
};

/// What else differs than the work, or puts figures in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Something that the work runs on, or with.
    Differs {
        /// What.
        what: &'static str,
        /// In the first report.
        before: Text,
        /// In the second.
        after: Text,
    },
    /// The ledger of a report has an alarm.
    InDoubt(Side),
}

/// One of the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    Before,
    /// The second.
    After,
}

/// All of them, what is in doubt first.
pub fn of(before: &Report, after: &Report) -> Vec<Condition> {
    let sides = [(Side::Before, before), (Side::After, after)];
    let in_doubt = sides
        .into_iter()
        .filter(|(_, report)| !doubts(report).is_empty())
        .map(|(side, _)| Condition::InDoubt(side));
    let facts = facts(before).into_iter().zip(facts(after));
    let workloads = before.workloads.iter().zip(&after.workloads);
    let of_workloads = workloads
        .flat_map(|(before, after)| of_workload(before).into_iter().zip(of_workload(after)));
    let differing = facts
        .chain(of_workloads)
        .filter(|(before, after)| before != after)
        .map(|((what, before), (_, after))| Condition::Differs {
            what,
            before,
            after,
        });
    in_doubt.chain(differing).collect()
}

type Fact = (&'static str, Text);

fn facts(report: &Report) -> Vec<Fact> {
    let devices = report.devices.iter().flatten();
    let devices: BTreeSet<_> = devices.map(|one| one.name.as_str()).collect();
    let devices = devices.into_iter().collect::<Vec<_>>().join(" ");
    vec![
        ("kernel", report.host.kernel.clone()),
        ("architecture", report.host.architecture.clone()),
        ("CPUs", report.host.cpus.to_string().into()),
        ("devices", devices.into()),
        ("ioprof", report.ioprof_version.clone()),
    ]
}

fn of_workload(workload: &Workload) -> Vec<Fact> {
    let kind = match workload.kind {
        Kind::Builtin => "built-in",
        Kind::Command => "command",
        Kind::Attached => "attached",
    };
    let words: Vec<_> = workload.argv.iter().map(Text::as_str).collect();
    let exit = workload.exit.map_or_else(
        || "none".to_owned(),
        |exit| format!("{exit:?}").to_lowercase(),
    );
    vec![
        ("kind of workload", kind.into()),
        ("command line", words.join(" ").into()),
        ("exit", exit.into()),
    ]
}
