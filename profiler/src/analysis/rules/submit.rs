//! AIO001: `io_submit` waits for the device itself.

use ioprof_workloads::display::count;

use super::subject::{
    Candidate, Outcome, Subject, for_known_requests, own_requests, portion, total,
};
use crate::model::{block::BlockOperation, finding::Place, sum::sum};

/// Fewer calls are no habit.
const FEW: u64 = 100;

const ADVICE: &str = "open the file with O_DIRECT and align buffers, offsets and sizes: io_submit(2) is asynchronous for that alone; for \
                      the page cache use io_uring, or threads";

/// The rule.
pub fn rule(subject: &Subject<'_>) -> Outcome {
    let [submit] = subject.calls(|name| name == "io_submit")[..] else {
        return Outcome::RuledOut(Vec::new());
    };
    let (Some(time), Some(block)) = (&submit.1.breakdown, &subject.workload.block) else {
        return Outcome::Undecided("it is not known what io_submit waited for");
    };
    let depth = subject.workload.aio.depth.max;
    let rows = own_requests(block, &[BlockOperation::Read, BlockOperation::Write]);
    let parts = rows.flat_map(|(at, row)| {
        [("queue", row.queue.sum), ("service", row.service.sum)]
            .map(|(part, ns)| subject.evidence(&format!("block/{at}/{part}/sum"), ns))
    });
    let parts: Vec<_> = parts.collect();
    let under_way = total(&parts);
    let waited = for_known_requests(time);
    let at = submit.0;
    let mut evidence = vec![
        subject.calls_of(submit),
        subject.evidence(
            &format!("syscalls/{at}/breakdown/queue_ns"),
            time.off_cpu.queue_ns,
        ),
        subject.evidence(
            &format!("syscalls/{at}/breakdown/service_ns"),
            time.off_cpu.service_ns,
        ),
        subject.evidence("aio/depth/max", depth),
    ];
    evidence.extend(parts);
    // Requests that are under way while the program goes on take longer together than anything waits.
    let holds = submit.1.calls >= FEW
        && depth > 1
        && waited >= portion(under_way, 1, 2)
        && waited > time.cpu_ns / 10;
    if !holds {
        return Outcome::RuledOut(evidence);
    }
    let most = sum([waited, time.off_cpu.runnable_ns]);
    Outcome::Found(vec![Candidate {
        summary: format!(
            "{} io_submit wait for the device, and nothing is under way meanwhile",
            count(submit.1.calls)
        ),
        place: Place {
            call: Some(submit.1.name.clone()),
            ..Place::default()
        },
        cost_ns: most,
        gain: subject.bounds(
            0,
            most,
            "the requests are under way together; at most what io_submit waits for devices, and for a CPU after that; at least \
             nothing, where the device does one at a time"
                .into(),
        ),
        stake_ns: waited,
        evidence,
        advice: ADVICE,
        gate: None,
    }])
}
