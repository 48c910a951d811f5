//! The names of workloads.

use std::collections::BTreeMap;

use ioprof_ebpf::abi::row::NAME_BYTES;

use super::report::WorkloadInfo;
use crate::{
    kernel::{bpf::probes::Feature, snapshot::Snapshot},
    model::report::{Executed, Kind},
    text::Text,
};

/// The name of a thread, which ends at the first zero byte.
pub fn of_thread(name: &[u8; NAME_BYTES]) -> Text {
    let name = name.split(|byte| *byte == 0).next();
    Text::of_bytes(name.unwrap_or_default())
}

/// What the first process of a workload has executed; none where the probe for it is missing.
pub fn executed(snapshot: &Snapshot, workload: u32) -> Option<Executed> {
    if !snapshot.has(Feature::Programs) {
        return None;
    }
    let executed = snapshot.workloads.get(workload as usize - 1)?.executed;
    Some(Executed {
        programs: executed.programs,
        last: (executed.programs > 0).then(|| of_thread(&executed.name)),
    })
}

/// Names that tell the workloads apart, the first of number 1.
pub fn of_workloads(snapshot: &Snapshot, infos: &[WorkloadInfo]) -> Vec<Text> {
    distinct((1..).zip(infos).map(|(number, info)| {
        let became = became(info.kind, &info.name, executed(snapshot, number));
        became.unwrap_or_else(|| info.name.clone())
    }))
}

/// The name of what a workload of this name has become; none where that is it still.
fn became(kind: Kind, name: &Text, executed: Option<Executed>) -> Option<Text> {
    let executed = executed?;
    // The first program of a command is the command.
    if kind == Kind::Command && executed.programs == 1 {
        return None;
    }
    // The kernel keeps no more of a name than this.
    let mut kept = name.bytes();
    kept.truncate(NAME_BYTES - 1);
    executed.last.filter(|last| last.bytes() != kept)
}

/// The second of a name is NAME#2.
fn distinct(names: impl IntoIterator<Item = Text>) -> Vec<Text> {
    let mut seen = BTreeMap::<Text, u32>::new();
    names
        .into_iter()
        .map(|name| {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                name
            } else {
                format!("{}#{count}", name.as_str()).into()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_of_the_same_name_are_told_apart() {
        let names = distinct(["a", "b", "a", "a"].map(Text::from));
        assert_eq!(names, ["a", "b", "a#2", "a#3"]);
    }

    #[test]
    fn a_workload_is_named_after_the_last_program_and_keeps_a_longer_name_of_the_same() {
        let executed = |programs, last: Option<&str>| {
            let last = last.map(Text::from);
            Some(Executed { programs, last })
        };
        for (kind, name, executed, expected) in [
            (Kind::Command, "sh", executed(2, Some("dd")), Some("dd")),
            (Kind::Command, "script", executed(1, Some("sh")), None),
            (Kind::Attached, "sh", executed(1, Some("dd")), Some("dd")),
            (Kind::Attached, "sh", executed(0, None), None),
            (Kind::Attached, "sh", None, None),
            (
                Kind::Command,
                "a-program-of-24-letters",
                executed(2, Some("a-program-of-24")),
                None,
            ),
        ] {
            let became = became(kind, &name.into(), executed);
            assert_eq!(became, expected.map(Text::from), "{name}");
        }
    }
}
