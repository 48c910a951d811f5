//! Sets the devices of a report beside their calibrations.

use std::{
    fs::File,
    io::Read as _,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use crate::{
    analysis::{
        calibrations::usable,
        share_of_ceiling::{ceiling, of_operations},
    },
    kernel::system::disk::Disk,
    launch::history::Calibrations,
    model::{
        calibration::{CalibratedDevice, Calibration, Operation, Pattern, SCHEMA},
        report::Report,
        tune::ShareOfDevice,
    },
    text::Text,
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

/// A rate of operations of one kind on the disk below a folder, as a part of what that disk can do; none where it was not
/// calibrated as it is now.
pub fn share(
    folder: &Path,
    kernel: &Text,
    kind @ (operation, pattern, size_bytes): (Operation, Pattern, u64),
    bytes_per_second: f64,
) -> Option<ShareOfDevice> {
    let (disk, _) = Disk::of(File::open(folder).ok()?.as_fd()).ok()?;
    let (calibrations, now) = (kept(), described(&disk));
    let usable = usable(&calibrations, &now, kernel);
    let most = of_operations(&usable, kind)?;
    Some(ShareOfDevice {
        device: disk.name,
        calibrated_at: usable.first()?.started_at.clone(),
        operation,
        pattern,
        size_bytes,
        ceiling_bytes_per_second: most,
        share: bytes_per_second / most,
    })
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
