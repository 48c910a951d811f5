//! OPEN001: a file is opened again and again.

use ioprof_workloads::display::count;

use super::subject::{Candidate, Cost, Outcome, Placed, Subject, only_call, portion};
use crate::{
    analysis::compare::total,
    model::{
        file::{File, FileKind},
        finding::Place,
        sum::sum,
        syscall::Syscall,
    },
};

/// Fewer opens of a file are no habit.
const FEW: u64 = 100;
/// So many for each process are no habit, either: each opens what it needs.
const FEW_FOR_EACH_PROCESS: u64 = 16;

/// The calls that open files.
pub const OPENS: [&str; 4] = ["openat", "open", "openat2", "creat"];

const ADVICE: &str = "open it once and keep the descriptor: pread(2) reads at any place, fstat(2) tells whether it has changed; in a \
                      shell redirect a whole loop (done >> file), not each command in it";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let Some(files) = &subject.workload.files else {
        return Outcome::Undecided("the files are not known: how often each was opened");
    };
    let processes = subject.workload.processes.max(1);
    let rows = files.top.iter().enumerate();
    let opened = rows.filter(|(_, row)| row.kind == FileKind::File && row.counts.opens > 0);
    let (again, others): (Vec<_>, Vec<_>) = opened.partition(|(_, row)| {
        // One that is made anew has to be opened anew.
        let opens = row.counts.opens.checked_div(inodes(row)).unwrap_or(0);
        opens >= FEW && opens / FEW_FOR_EACH_PROCESS >= processes
    });
    if again.iter().any(|(_, row)| row.inodes.is_none()) {
        return Outcome::Undecided("it is not known whether files were made anew");
    }
    let opens = |(at, row): (usize, &File)| {
        subject.evidence(&format!("files/top/{at}/opens"), row.counts.opens)
    };
    if again.is_empty() {
        let most = others.into_iter().max_by_key(|(_, row)| row.counts.opens);
        return Outcome::RuledOut(most.map(opens).into_iter().collect());
    }
    let all = sum(again.iter().map(|(_, row)| row.counts.opens));
    let different = sum(again.iter().map(|(_, row)| inodes(row)));
    let gone = all.saturating_sub(processes.saturating_mul(different));
    let percent = portion(90, gone, total(files, |counts| counts.opens));
    let calls = subject.calls(|name| OPENS.contains(&name));
    let closes = subject.calls(|name| name == "close");
    let cost = Cost::of_all([&calls, &closes].map(|calls| cost(subject, calls, gone)));
    let mut evidence: Vec<_> = again.iter().map(|one| opens(*one)).collect();
    for one in calls.iter().chain(&closes) {
        evidence.push(subject.calls_of(*one));
        evidence.push(subject.evidence(&format!("syscalls/{}/time_ns", one.0), one.1.time_ns));
    }
    let (file, what) = match &again[..] {
        [(_, only)] => (only.path.clone(), "a file was opened".to_owned()),
        several => (
            None,
            format!("{} files were opened", count(several.len() as u64)),
        ),
    };
    Outcome::Found(vec![Candidate {
        summary: format!("{what} {} times", count(all)),
        place: Place {
            file,
            call: only_call(&calls),
            device: None,
        },
        cost_ns: cost.most,
        gain: subject.bounds(
            cost.least,
            cost.most,
            format!(
                "{} opens go, all but one of a file in each process, and as many closes; at least as many of the shortest, and \
                 the kernel's way into them and out of them; at most the time of all, less as many of the shortest as stay",
                count(gone)
            ),
        ),
        stake_ns: cost.stake,
        evidence,
        advice: ADVICE,
        gate: (percent > 0).then(|| format!("files.opens<=-{percent}%")),
    }])
}

/// How many files had this path one after the other.
fn inodes(row: &File) -> u64 {
    row.inodes.unwrap_or(1).max(1)
}

/// What so many of these calls cost that did not fail, at least and at most.
fn cost(subject: &Subject<'_>, calls: &[Placed<'_>], gone: u64) -> Cost {
    let succeeded = |call: &Syscall| call.calls.saturating_sub(call.failed());
    match calls {
        [] => Cost::default(),
        [one] => subject.cost_of(*one, gone.min(succeeded(one.1))),
        // Which of them they were is not known.
        several => {
            let each = several
                .iter()
                .map(|one| subject.cost_of(*one, gone.min(succeeded(one.1))));
            Cost {
                least: 0,
                ..Cost::of_all(each)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::Report;

    #[test]
    fn files_of_which_it_is_not_known_whether_they_were_made_anew_are_not_found() {
        let mut report = super::super::tests::sample();
        let workload = report.workloads.first_mut().expect("there is one");
        workload.processes = 1;
        let files = workload.files.as_mut().expect("they are known");
        let row = files.top.first_mut().expect("there is one");
        (row.counts.opens, row.inodes) = (FEW, Some(1));
        let of = |report: &Report| rule(&Subject::of_first(report));
        assert_eq!(of(&report).found().len(), 1);
        let files = report.workloads[0].files.as_mut().expect("known");
        files.top[0].inodes = Some(2);
        assert!(matches!(of(&report), Outcome::RuledOut(_)));
        let files = report.workloads[0].files.as_mut().expect("known");
        files.top[0].inodes = None;
        assert!(matches!(of(&report), Outcome::Undecided(_)));
    }
}
