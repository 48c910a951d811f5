//! What a workload's threads did on a device whose ceiling is known: for the rules that ask for it.

use super::subject::{Outcome, Subject, for_known_requests};
use crate::model::{
    block::{Block, BlockOperation, Origin},
    calibration::Operation,
    device::{Device, ShareOfCeiling},
    finding::{Evidence, Place},
    sum::sum,
};
use crate::transfer::{Direction, of_call};

/// Fewer requests are those of a program that starts.
pub const FEW: u64 = 100;

/// The requests of one operation that the workload's threads made themselves, on a device that was calibrated.
pub struct OnDevice<'a> {
    device_at: usize,
    /// The device.
    pub device: &'a Device,
    load_at: usize,
    /// What it did beside what it can do.
    pub load: &'a ShareOfCeiling,
    /// Their place in `block`.
    row_at: usize,
    /// Completed.
    pub requests: u64,
    /// Of the workload's bios in them.
    pub bytes: u64,
    /// The mean of all requests of the workload that were in flight there, while there were any.
    pub depth: f64,
    /// Nanoseconds in which there were any.
    pub busy_ns: u64,
}

impl<'a> OnDevice<'a> {
    /// Those of the workload that were calibrated, and why others are not known, where there are.
    pub fn all(
        subject: &Subject<'a>,
        operations: &[Operation],
    ) -> Result<(Vec<Self>, Option<&'static str>), Outcome> {
        let workload = subject.workload;
        let (Some(block), Some(devices)) = (&workload.block, &subject.report.devices) else {
            return Err(Outcome::Undecided("the requests are not known"));
        };
        let (mut found, mut unknown) = (Vec::new(), None);
        let own = block.iter().enumerate().filter(|(_, row)| {
            row.origin == Origin::Thread && !row.is_counted_elsewhere() && row.requests >= FEW
        });
        for (row_at, row) in own {
            let operation = match row.operation {
                BlockOperation::Read => Operation::Read,
                BlockOperation::Write => Operation::Write,
                BlockOperation::Flush | BlockOperation::Discard => continue,
            };
            if !operations.contains(&operation) {
                continue;
            }
            let mut all = devices.iter().enumerate();
            let found_device = all.find(|(_, one)| one.name == row.device);
            let Some((device_at, device, busy_ns)) = found_device
                .and_then(|(at, device)| Some((at, device, busy_ns(subject, device)?)))
                .filter(|(.., busy_ns)| *busy_ns > 0)
            else {
                unknown = Some("it is not known how many requests devices had in flight");
                continue;
            };
            let ceiling = device.ceiling.as_ref();
            let mut loads = ceiling.iter().flat_map(|one| &one.loads).enumerate();
            let Some((load_at, load)) = loads.find(|(_, load)| load.operation == operation) else {
                unknown = Some(match ceiling {
                    Some(ceiling) if ceiling.unused.is_none() => {
                        "the requests are of a size that was not calibrated: run `ioprof calibrate` without --quick, if it was not"
                    }
                    _ => "what the device can do is not known: run `ioprof calibrate` on it",
                });
                continue;
            };
            if !load.steady {
                unknown = Some(
                    "the device's calibration did not become steady: run `ioprof calibrate` again, while nothing else uses it",
                );
                continue;
            }
            found.push(Self {
                device_at,
                device,
                load_at,
                load,
                row_at,
                requests: row.requests,
                bytes: row.bytes,
                depth: depth(device, busy_ns, block),
                busy_ns,
            });
        }
        Ok((found, unknown))
    }

    /// The device, as the place of a finding.
    pub fn place(&self) -> Place {
        Place {
            device: Some(self.device.name.clone()),
            ..Place::default()
        }
    }

    /// How many times as much the device can do at the depth where it does most.
    pub fn headroom(&self) -> f64 {
        self.load.ceiling_per_second / self.load.ceiling_at_depth_per_second
    }

    /// How many times as much the device can do, in the order that serves better, as it did while it had anything to do.
    pub fn headroom_in_order(&self) -> f64 {
        let did = self.load.requests_per_second / self.device.utilization;
        self.load.best_per_second() / did
    }

    /// What these requests take where the device does the most of them that it can.
    pub fn least_ns(&self) -> u64 {
        // A conversion to an integer saturates.
        (self.requests as f64 / self.load.ceiling_per_second * 1e9) as u64
    }

    /// The figures that all of this comes from.
    pub fn evidence(&self, subject: &Subject<'_>) -> Vec<Evidence> {
        let row = format!("block/{}/requests", self.row_at);
        let load = format!("/devices/{}/ceiling/loads/{}", self.device_at, self.load_at);
        let of_load = [
            ("depth", self.load.depth),
            (
                "ceiling_at_depth_per_second",
                self.load.ceiling_at_depth_per_second,
            ),
            ("ceiling_per_second", self.load.ceiling_per_second),
        ];
        let of_load = of_load.into_iter().filter_map(|(name, value)| {
            Some(Evidence {
                pointer: format!("{load}/{name}").into(),
                value: serde_json::Number::from_f64(value)?,
            })
        });
        let own = subject.evidence(&row, self.requests);
        std::iter::once(own).chain(of_load).collect()
    }
}

/// The mean of the workload's requests in flight on a device, while there were any.
fn depth(device: &Device, busy_ns: u64, block: &[Block]) -> f64 {
    let rows = block
        .iter()
        .filter(|row| row.device == device.name && !row.is_counted_elsewhere());
    let in_flight = sum(rows.flat_map(|row| [row.queue.sum, row.service.sum]));
    in_flight as f64 / busy_ns as f64
}

/// Nanoseconds in which the workload had requests on a device.
fn busy_ns(subject: &Subject<'_>, device: &Device) -> Option<u64> {
    let name = Some(&subject.workload.name);
    let mut shares = device.shares.iter();
    let share = shares.find(|share| share.workload.as_ref() == name)?;
    Some(share.busy_ns)
}

/// What calls wait for.
pub struct Waits {
    /// Nanoseconds for known requests.
    pub requests_ns: u64,
    /// Nanoseconds for a CPU, as behind each of these waits.
    pub runnable_ns: u64,
}

/// The waits of calls that read or write, as is asked for, and of those that submit for rings and wait for them. None where
/// that was not told apart.
pub fn waits(subject: &Subject<'_>, operations: &[Operation]) -> Option<Waits> {
    const ASYNCHRONOUS: [&str; 4] = [
        "io_uring_enter",
        "io_submit",
        "io_getevents",
        "io_pgetevents",
    ];
    let is_asked_for = |way: Direction| match way {
        Direction::Read => operations.contains(&Operation::Read),
        Direction::Written => operations.contains(&Operation::Write),
        Direction::Copied => true,
    };
    let calls = subject
        .calls(|name| ASYNCHRONOUS.contains(&name) || of_call(name).is_some_and(is_asked_for));
    let times: Option<Vec<_>> = calls.iter().map(|(_, call)| call.breakdown).collect();
    let times = times?;
    Some(Waits {
        requests_ns: sum(times.iter().map(for_known_requests)),
        runnable_ns: sum(times.iter().map(|time| time.off_cpu.runnable_ns)),
    })
}
