//! `ioprof calibrate --export`: what is known of a device, for other programs.

use std::{
    fs::OpenOptions,
    io,
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
    process::ExitCode,
};

use nix::libc;

use crate::{
    analysis::calibrations::{of_device, usable, why_unused},
    cli::Export,
    commands::{
        ceilings::{described, kept},
        deliver::print,
    },
    error::Error,
    kernel::system::{disk::Disk, machine::release},
    output::limits::{io_cost_model, io_properties},
};

/// Prints the limits of the device below a path by the calibrations that are kept.
///
/// # Errors
///
/// Where there is no such device, none that was calibrated as it is now, or one of its figures was not measured.
pub fn export(path: &Path, format: Export) -> Result<ExitCode, Error> {
    let refused = |reason: String| Error::Export {
        path: path.to_owned(),
        reason,
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)
        .map_err(|error| refused(error.to_string()))?;
    let (disk, mount) =
        Disk::of(file.as_fd()).map_err(|no_disk| refused(format!("it {no_disk}")))?;
    let (now, kernel) = (described(&disk), release()?);
    let all = kept();
    let usable = usable(&all, &now, &kernel);
    let name = &disk.name;
    if usable.is_empty() {
        let newest = of_device(&all, &now).next();
        let unused = newest.and_then(|one| why_unused(one, &now, &kernel));
        let reason = match unused {
            Some(why) => format!("{name} has a calibration, but {}", why.as_str()),
            None => format!("{name} has no calibration"),
        };
        return Err(refused(format!("{reason}; run `ioprof calibrate` there")));
    }
    let text = match format {
        Export::Iotune => io_properties(&usable, &mount.point),
        Export::Iocost => io_cost_model(&usable, disk.number),
    };
    let text = text.map_err(|missing| {
        refused(format!(
            "{missing} were not measured; run `ioprof calibrate` there without --quick"
        ))
    })?;
    print(&mut io::stdout(), &text);
    Ok(ExitCode::SUCCESS)
}
