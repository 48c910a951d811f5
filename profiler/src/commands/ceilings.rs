//! Sets the devices of a report beside their calibrations.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    analysis::share_of_ceiling::ceiling,
    kernel::system::disk::Disk,
    launch::history::Calibrations,
    model::{
        calibration::{CalibratedDevice, Calibration, SCHEMA},
        report::Report,
    },
};

/// A calibration is smaller, and there are not so many that matter.
const MOST_BYTES: u64 = 4 << 20;
const MOST: usize = 64;

/// Sets each device beside its calibrations, where there are any.
pub fn set(report: &mut Report) {
    let Some(devices) = report.devices.as_mut().filter(|all| !all.is_empty()) else {
        return;
    };
    let calibrations = kept();
    if calibrations.is_empty() {
        return;
    }
    for device in devices {
        let Some(disk) = Disk::numbered((device.major, device.minor)) else {
            continue;
        };
        let now = (&described(&disk), &report.host.kernel);
        device.ceiling = ceiling(device, report.duration_ns, now, &calibrations);
    }
}

/// The calibrations that were kept, the newest first.
pub fn kept() -> Vec<Calibration> {
    let files: Vec<PathBuf> = Calibrations::all();
    let calibrations = files.iter().take(MOST).filter_map(|file| read(file));
    calibrations.collect()
}

/// What a disk says of itself now.
pub fn described(disk: &Disk) -> CalibratedDevice {
    let facts = disk.facts();
    CalibratedDevice {
        name: disk.name.clone(),
        partition: disk.partition.clone(),
        model: facts.model,
        firmware: facts.firmware,
        serial: facts.serial,
        uuid: facts.uuid,
        backing_file: facts.backing_file,
        size_bytes: facts.size_bytes,
        scheduler: facts.scheduler,
        nr_requests: facts.nr_requests,
        write_cache: facts.write_cache,
        rotational: facts.rotational,
    }
}

/// One that was kept; none where it is no calibration of this format: it may be of a later ioprof.
fn read(file: &Path) -> Option<Calibration> {
    let mut bytes = Vec::new();
    let file = File::open(file).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    let found: Calibration = serde_json::from_slice(&bytes).ok()?;
    (found.schema == SCHEMA).then_some(found)
}
