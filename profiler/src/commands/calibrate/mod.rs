//! `ioprof calibrate`.

mod export;
mod measure;
mod place;
mod plan;

use std::{
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use ioprof_workloads::{Interrupt, ceiling};

use self::{
    measure::Measuring,
    place::{LEAST, Place},
    plan::{Clock, Plan},
};
use super::{
    begun::Begun,
    deliver::{print, show, stopped},
};
use crate::{
    cli::Calibrate,
    error::Error,
    kernel::system::machine::release,
    launch::{destination::Destination, history::Calibrations},
    model::{
        calibration::{Calibration, Mode, SCHEMA},
        sum::sum,
    },
    output::{json, terminal::calibration::render, text::line},
    text::Text,
    version,
};

/// Measures what the device below a path can do, prints it, and keeps it.
///
/// # Errors
///
/// Where there is no such device, no room, or the kernel refuses what is needed. That it cannot be kept is no error, but
/// told.
pub fn calibrate(arguments: &Calibrate) -> Result<ExitCode, Error> {
    let path = arguments.path.as_deref().unwrap_or_else(|| Path::new("."));
    if let Some(format) = arguments.export {
        return export::export(path, format);
    }
    let mode = match (arguments.quick, arguments.thorough) {
        (true, _) => Mode::Quick,
        (_, true) => Mode::Thorough,
        _ => Mode::Standard,
    };
    // Before the destination, whose file a signal would leave behind.
    let interrupt = Interrupt::install()?;
    let destination = Destination::open(arguments.output.as_deref())?;
    let plan = Plan::of(mode);
    let place = Place::open(path, plan.file_bytes)?;
    print(
        &mut io::stderr(),
        &line(&format!(
            "ioprof: measuring {} for about {} s; Ctrl-C stops it",
            place.disk.name,
            plan.budget.as_secs()
        )),
    );
    let Some(calibration) = measure(&plan, &place, &interrupt)? else {
        let what = "the calibration is stopped, its file is gone";
        return Ok(stopped(&interrupt, what));
    };
    let json = json::calibration(&calibration);
    let kept = (!arguments.no_save).then(|| keep(&json));
    if let Some(Err(reason)) = &kept {
        let told = format!("ioprof: the calibration is not kept: {reason}; try -o FILE");
        print(&mut io::stderr(), &line(&told));
    }
    show(arguments.output.as_deref(), |style| {
        let mut text = render(&calibration, style);
        if let Some(Ok(file)) = kept {
            let kept = style.faint(&format!("kept: {file}"));
            text.push_str(&format!("{kept}\n"));
        }
        text
    });
    destination.write(&json)?;
    Ok(ExitCode::SUCCESS)
}

/// The whole calibration; none where a signal came.
fn measure(
    plan: &Plan,
    place: &Place,
    interrupt: &Interrupt,
) -> Result<Option<Calibration>, Error> {
    let begun = Begun::now();
    let clock = Clock::start(plan);
    let room = (LEAST, place.bytes);
    let file_bytes = ceiling::fill(place.file.as_fd(), room, plan.filling, interrupt)?;
    if interrupt.is_set() {
        return Ok(None);
    }
    let file = place
        .file
        .try_clone()
        .map_err(Error::system("sharing the file"))?;
    // What belongs to making it is not to be written meanwhile.
    file.sync_all().map_err(Error::system("syncing the file"))?;
    let mut calibration = Calibration {
        schema: SCHEMA.into(),
        ioprof_version: version::NUMBER.into(),
        started_at: begun.in_utc(),
        duration_ns: 0,
        mode: plan.mode,
        kernel: release()?,
        device: place.device(),
        file_system: place.file_system.clone(),
        file_bytes,
        series: Vec::new(),
        mixes: Vec::new(),
        append: None,
        buffered_read: None,
        page_cache: None,
        others_bytes: None,
    };
    let appends = place.another()?;
    let measuring = Measuring::new(plan, clock, (file, file_bytes), &place.disk, interrupt);
    if measuring.all(&appends, &mut calibration)?.is_err() {
        return Ok(None);
    }
    calibration.others_bytes = others(&calibration);
    calibration.duration_ns = begun.elapsed_ns();
    Ok(Some(calibration))
}

/// What others did during all points; none where the kernel did not tell.
fn others(calibration: &Calibration) -> Option<u64> {
    let all = calibration.series.iter().flat_map(|series| &series.points);
    let known: Vec<u64> = all.filter_map(|point| point.others_bytes).collect();
    (!known.is_empty()).then(|| sum(known))
}

/// Keeps it for the reports to come; the file as a shell takes it.
fn keep(json: &[u8]) -> io::Result<Text> {
    let kept: PathBuf = Calibrations::of_this_user()?.save(json)?;
    Ok(Text::of(kept))
}
