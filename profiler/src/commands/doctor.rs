//! `ioprof doctor`.

use std::{io::Write as _, path::Path, process::ExitCode};

use crate::{
    error::Error,
    kernel::{
        Session, Settings,
        bpf::{Verdict, btf},
        system::capabilities,
    },
    output::text,
};

/// Tries what `run` would do, and prints what it finds.
///
/// # Errors
///
/// None: failures are what it prints.
pub fn doctor() -> Result<ExitCode, Error> {
    // A reader that has gone, such as head, is no error.
    let line = |what: &str, found: &str| {
        let _ = write!(std::io::stdout(), "{what:<14} {}", text::line(&found));
    };
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
    let snapshot = Session::start(&Settings {
        workloads: 1,
        ..Settings::default()
    })
    .and_then(|mut session| {
        session.begin()?;
        session.finish()
    });
    match snapshot {
        Ok(snapshot) => {
            for one in snapshot.probes.iter() {
                let verdict = match &one.verdict {
                    Verdict::Attached => "attached".to_owned(),
                    Verdict::NotNeeded { reason } => format!("not needed: {reason}"),
                    Verdict::Absent { reason } => format!("absent: {reason}"),
                    Verdict::Refused { reason } => format!("refused: {reason}"),
                };
                line("probe", &format!("{:<25} {verdict}", one.probe.tracepoint));
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
