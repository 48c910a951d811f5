//! URING001: each request to a ring is submitted by a call of its own.

use ioprof_workloads::display::count;

use super::subject::{Candidate, Outcome, Subject, portion};
use crate::{
    model::{finding::Place, io_uring::UringOperation, sum::sum},
    transfer::of_opcode,
};

/// Fewer calls are not worth it.
const FEW: u64 = 1000;

const ADVICE: &str = "fill several entries, then call io_uring_enter(2) once for them (io_uring_submit after several io_uring_get_sqe); \
                      take all completions that are there before waiting again";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let (ring, enter, time) = match subject.ring() {
        Ok(known) => known,
        Err(otherwise) => return otherwise,
    };
    let (at, call) = enter;
    let (Some(calls), Some(submitted)) = (ring.submitting_calls, ring.submitted_by_calls) else {
        return Outcome::Undecided("it is not known how many of the calls submitted something");
    };
    // A timer, or who waits for a client, may always be under way: that is no work that could have been submitted together.
    let operations = ring.operations.iter().enumerate();
    let moving = operations.filter(|(_, one)| of_opcode(one.name.as_str()).is_some());
    let under_way = sum(moving.clone().map(|(_, one)| one.latency.sum));
    // The mean while there is any, at least: where others are under way alone, there is none.
    let depth = under_way.checked_div(ring.busy_ns).unwrap_or(0);
    let mut evidence = vec![
        subject.calls_of(enter),
        subject.evidence(&format!("syscalls/{at}/time_ns"), call.time_ns),
        subject.evidence("io_uring/busy_ns", ring.busy_ns),
        subject.evidence("io_uring/submitting_calls", calls),
        subject.evidence("io_uring/submitted_by_calls", submitted),
    ];
    for (at, one) in moving {
        let place = format!("io_uring/operations/{at}/latency/sum");
        evidence.push(subject.evidence(&place, one.latency.sum));
    }
    // A request that depends on the one before is alone: there is nothing to submit with it.
    let are_alone = calls >= FEW && submitted <= portion(calls, 3, 2);
    let all = sum(ring.operations.iter().map(|one| one.latency.sum));
    let others = all.saturating_sub(under_way);
    if are_alone && depth <= 1 && others > ring.busy_ns / 10 {
        return Outcome::Undecided(
            "timers or polls were under way, too: it is not known in how much of the time others were",
        );
    }
    // Who ends unseen has no latency.
    let unseen = sum(ring
        .operations
        .iter()
        .map(UringOperation::may_have_ended_unseen));
    if are_alone && depth <= 1 && unseen > 0 {
        return Outcome::Undecided(
            "requests ended unseen: it is not known how many were under way at a time",
        );
    }
    let holds = are_alone && depth > 1;
    let gone = calls.saturating_sub(submitted.checked_div(depth).unwrap_or(submitted));
    if !holds || gone == 0 {
        return Outcome::RuledOut(evidence);
    }
    let (least, most) = subject.entry_ns();
    let worked = portion(time.cpu_ns, gone, call.calls);
    let at_most = sum([worked, gone.saturating_mul(most)]);
    Outcome::Found(vec![Candidate {
        summary: format!(
            "{} io_uring_enter submit {} requests, with {} under way at a time",
            count(calls),
            count(submitted),
            count(depth)
        ),
        place: Place {
            call: Some(call.name.clone()),
            ..Place::default()
        },
        cost_ns: at_most,
        gain: subject.bounds(
            gone.saturating_mul(least)
                .saturating_sub(call.time_ns.saturating_sub(time.cpu_ns)),
            at_most,
            format!(
                "{} calls go where as many are submitted at a time as are under way, and what is waited for stays; at most their \
                 part of the time on a CPU, and the kernel's way into them and out of them; at least that way, less what the calls \
                 waited",
                count(gone)
            ),
        ),
        stake_ns: at_most,
        evidence,
        advice: ADVICE,
        gate: Some(format!("io_uring_enter.calls<=-{}%", portion(gone, 90, call.calls))),
    }])
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{histogram, ring, sample},
        *,
    };
    use crate::model::{histogram::Unit, io_uring::IoUring};

    /// Requests that are submitted one by one, of which so many that move data are under way, beside two that wait.
    fn one_by_one(under_way: u64, edit: fn(&mut IoUring)) -> Outcome {
        let mut report = sample();
        let workload = report.workloads.first_mut().expect("there is one");
        let call = workload.syscalls.first_mut().expect("there is one");
        (call.name, call.calls) = ("io_uring_enter".into(), FEW);
        let mut ring = ring(&[("READ", FEW), ("TIMEOUT", 1), ("POLL_ADD", 1)]);
        ring.busy_ns = FEW * 1000;
        ring.submitting_calls = Some(FEW);
        ring.submitted_by_calls = Some(FEW);
        let [reads, waits @ ..] = &mut ring.operations[..] else {
            panic!("there are three")
        };
        reads.latency = histogram(Unit::Ns, &[(1000_u64.saturating_mul(under_way), FEW)]);
        for one in waits {
            one.latency = histogram(Unit::Ns, &[(ring.busy_ns, 1)]);
        }
        edit(&mut ring);
        workload.io_uring = Some(ring);
        rule(&Subject::of_first(&report))
    }

    #[test]
    fn requests_that_end_unseen_are_not_taken_for_none_under_way() {
        let silent = one_by_one(1, |ring| {
            (ring.operations[0].silent, ring.operations[0].completions) = (FEW, 0);
            ring.operations.truncate(1);
        });
        assert!(matches!(silent, Outcome::Undecided(_)));
        let seen = one_by_one(1, |ring| ring.operations.truncate(1));
        assert!(matches!(seen, Outcome::RuledOut(_)));
    }

    #[test]
    fn requests_that_wait_are_no_work_under_way() {
        assert!(matches!(one_by_one(1, |_| ()), Outcome::Undecided(_)));
        let found = one_by_one(2, |_| ()).found();
        let told = &found.first().expect("there is one").summary;
        assert!(told.ends_with("with 2 under way at a time"), "{told}");
    }
}
