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
    time::Instant,
};

use ioprof_workloads::{Interrupt, ceiling};
use nix::sys::{signal::Signal, utsname::uname};

use self::{
    measure::Measuring,
    place::{LEAST, Place},
    plan::{Clock, Plan},
};
use super::deliver::print;
use crate::{
    cli::Calibrate,
    error::Error,
    launch::{destination::Destination, history::Calibrations},
    model::{
        calibration::{Calibration, Mode, SCHEMA},
        sum::sum,
    },
    output::{
        json,
        terminal::{Style, calibration::render},
        text::line,
    },
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
        return Ok(stopped(&interrupt));
    };
    let json = json::calibration(&calibration);
    let kept = (!arguments.no_save).then(|| keep(&json));
    let is_stdout = arguments
        .output
        .as_deref()
        .is_some_and(Destination::is_stdout);
    let style = if is_stdout {
        Style::of(&io::stderr())
    } else {
        Style::of(&io::stdout())
    };
    let mut text = render(&calibration, style);
    match kept {
        Some(Ok(file)) => text.push_str(&format!("{}\n", style.faint(&format!("kept: {file}")))),
        Some(Err(reason)) => {
            let told = format!("ioprof: the calibration is not kept: {reason}; try -o FILE");
            print(&mut io::stderr(), &line(&told));
        }
        None => {}
    }
    if is_stdout {
        print(&mut io::stderr(), &text);
    } else {
        print(&mut io::stdout(), &text);
    }
    destination.write(&json)?;
    Ok(ExitCode::SUCCESS)
}

/// The whole calibration; none where a signal came.
fn measure(
    plan: &Plan,
    place: &Place,
    interrupt: &Interrupt,
) -> Result<Option<Calibration>, Error> {
    let began = Instant::now();
    let started_at = jiff::Timestamp::now();
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
    let uname = uname().map_err(Error::system("asking for the kernel's release"))?;
    let mut calibration = Calibration {
        schema: SCHEMA.into(),
        ioprof_version: version::NUMBER.into(),
        started_at: started_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into(),
        duration_ns: 0,
        mode: plan.mode,
        kernel: Text::of(uname.release()),
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
    calibration.duration_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
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

fn stopped(interrupt: &Interrupt) -> ExitCode {
    let number = interrupt.signal().unwrap_or_default();
    let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
    let told = format!("ioprof: {name}: the calibration is stopped, its file is gone\n");
    print(&mut io::stderr(), &told);
    ExitCode::from(128 + u8::try_from(number).unwrap_or(0))
}
