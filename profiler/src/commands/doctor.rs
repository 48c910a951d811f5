//! `ioprof doctor`.

use std::{io::Write as _, path::Path, process::ExitCode, time::Duration};

use crate::{
    error::Error,
    kernel::{
        Session, Settings,
        bpf::{Verdict, Verified, btf},
        system::capabilities,
    },
    output::text,
};

/// Tries what `run` would do, and prints what it finds; with `verbose` also what the verifier took for each program.
///
/// # Errors
///
/// None: failures are what it prints.
pub fn doctor(verbose: bool) -> Result<ExitCode, Error> {
    if let Ok(uname) = nix::sys::utsname::uname() {
        line(
            "kernel",
            &format!(
                "{} {}",
                uname.release().to_string_lossy(),
                uname.machine().to_string_lossy()
            ),
        );
    }
    let has_btf = Path::new(btf::PATH).exists();
    line("BTF", if has_btf { btf::PATH } else { "missing" });
    let missing = capabilities::missing();
    line(
        "capabilities",
        &if missing.is_empty() {
            "CAP_BPF and CAP_PERFMON".to_owned()
        } else {
            format!("missing: {}", missing.join(", "))
        },
    );
    let examined = Session::start(&Settings {
        workloads: 1,
        ..Settings::default()
    })
    .and_then(|mut session| {
        session.begin()?;
        let verified = session.verified().to_vec();
        Ok((session.finish()?, verified))
    });
    match examined {
        Ok((snapshot, verified)) => {
            for one in snapshot.probes.iter() {
                let verdict = match &one.verdict {
                    Verdict::Attached => "attached".to_owned(),
                    Verdict::NotNeeded { reason } => format!("not needed: {reason}"),
                    Verdict::Absent { reason } => format!("absent: {reason}"),
                    Verdict::Refused { reason } => format!("refused: {reason}"),
                };
                line("probe", &format!("{:<25} {verdict}", one.probe.tracepoint));
            }
            if verbose {
                verifier_lines(&verified);
            }
            line(
                "overhead",
                if snapshot.cost.is_some() {
                    "measured by the kernel's BPF statistics"
                } else {
                    "unknown: BPF statistics require CAP_SYS_ADMIN"
                },
            );
            line(
                "verdict",
                if snapshot
                    .probes
                    .iter()
                    .all(|probe| probe.verdict.reason_missing().is_none())
                {
                    "`ioprof run` works here"
                } else {
                    "`ioprof run` works here, without the data of the missing probes"
                },
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            line(
                "verdict",
                &format!("`ioprof run` does not work here: {error}"),
            );
            Ok(ExitCode::FAILURE)
        }
    }
}

fn line(what: &str, found: &str) {
    // A reader that has gone, such as head, is no error.
    let _ = write!(std::io::stdout(), "{what:<14} {}", text::line(&found));
}

/// A line for each program, and one for all.
fn verifier_lines(verified: &[Verified]) {
    let one = |name: &str, time: Duration, instructions: Option<u64>| {
        let milliseconds = time.as_secs_f64() * 1000.0;
        let instructions = instructions.map_or_else(|| "unknown".to_owned(), |all| all.to_string());
        let found = format!("{name:<25} {milliseconds:>8.1} ms {instructions:>9} instructions");
        line("verifier", &found);
    };
    for program in verified {
        let instructions = program.instructions.map(u64::from);
        one(program.program, program.time, instructions);
    }
    let time = verified.iter().map(|program| program.time).sum();
    // Without one of them there is no sum.
    let instructions = verified
        .iter()
        .map(|program| program.instructions.map(u64::from))
        .sum();
    one("total", time, instructions);
}
