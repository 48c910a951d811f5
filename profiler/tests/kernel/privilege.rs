//! What ioprof itself may do, and when.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{
    self, Report, ioprof, line, reader,
    report::{PathState, known},
    requirements::{skip, tool},
    rights::{
        CAP_DAC_OVERRIDE, CAP_FOWNER, NOBODY, Rights, SHOW, Shown, by_sudo, folder_of, open_folder,
    },
    signal, text,
};
use nix::sys::signal::Signal;

fn shown(mut run: Command, report: &Path) -> Shown {
    run.args(["run", "-o"]).arg(report);
    let output = support::succeed(run.args(["--", "sh", "-c", SHOW]));
    let written = Report::read(report);
    written.assert_nothing_lost();
    assert!(written.ledger.probe_cpu_ns > Some(0));
    Shown::by(&output)
}

#[test]
fn once_the_probes_are_attached_root_has_no_capability_and_its_command_all() {
    requires!();
    let folder = folder_of(0);
    let shown = shown(ioprof(), &folder.path().join("run.json"));
    shown.assert_reduced(0, 0);
    // As it would be without ioprof: this process's.
    let own = fs::read_to_string("/proc/self/status").expect("it is there");
    let own = Rights::first(&own);
    assert_eq!(shown.command.uids, own.uids);
    assert_eq!(shown.command.capabilities, own.capabilities);
    assert_eq!(shown.command.no_new_privs, own.no_new_privs);
}

#[test]
fn under_sudo_ioprof_becomes_its_callers_and_the_command_stays_roots() {
    requires!();
    let folder = folder_of(NOBODY);
    let report = folder.path().join("run.json");
    let shown = shown(by_sudo(ioprof()), &report);
    shown.assert_reduced(NOBODY, 0);
    assert_eq!(shown.command.uids, [0; 4]);
    assert_eq!(report.metadata().expect("written").uid(), NOBODY);
}

#[test]
fn a_report_comes_into_folders_that_the_one_or_the_other_may_not_write_to() {
    requires!();
    let (roots, nobodys) = (folder_of(0), folder_of(NOBODY));
    let report = |folder: &tempfile::TempDir| folder.path().join("run.json");
    shown(by_sudo(ioprof()), &report(&roots)).assert_reduced(0, 0);
    let both = CAP_DAC_OVERRIDE | CAP_FOWNER;
    shown(ioprof(), &report(&nobodys)).assert_reduced(0, both);
    // Where everybody may make files, and only their owner may replace them.
    let sticky = folder_of(1);
    fs::set_permissions(sticky.path(), fs::Permissions::from_mode(0o1777)).expect("they can be");
    let report = report(&sticky);
    shown(by_sudo(ioprof()), &report).assert_reduced(NOBODY, 0);
    chown(&report, Some(1), Some(1)).expect("it can be given away");
    shown(by_sudo(ioprof()), &report).assert_reduced(0, both);
}

#[test]
fn under_sudo_the_report_still_has_what_takes_more_than_the_callers_rights() {
    requires!();
    let (roots, nobodys) = (folder_of(0), folder_of(NOBODY));
    let (file, report) = (roots.path().join("data"), nobodys.path().join("run.json"));
    let of = format!("of={}", file.display());
    let mut run = by_sudo(ioprof());
    run.args(["run", "--sync", "-o"]).arg(&report);
    let dd = ["--", "dd", "if=/dev/zero", &of, "bs=65536", "count=4"];
    support::succeed(run.args(dd));
    let report = Report::read(&report);
    // Among which would be that a file system was not synced.
    report.assert_nothing_lost();
    assert_eq!(report.file(&file).path_state, Some(PathState::Current));
    let writeback = known(&report.workload(0).writeback);
    assert_eq!(writeback.dirtied_bytes, 4 * 65536);
    assert_eq!(writeback.dirty_bytes_at_end, 0);
}

#[test]
fn a_signal_reaches_a_command_of_another_user() {
    requires!();
    // Of root's, from what is nobody's by then; and of nobody's, from what is root's.
    for (mut run, options) in [
        (by_sudo(ioprof()), &["run"][..]),
        (ioprof(), &["run", "--user", "nobody"]),
    ] {
        let mut child = run
            .args(options)
            .args(["--", "sh", "-c", "echo ready; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("ioprof can be started");
        assert_eq!(line(&mut reader(&mut child.stdout)), "ready\n");
        signal(&child, Signal::SIGTERM);
        let stdin = child.stdin.take();
        let ended = child.wait_with_output().expect("a child");
        drop(stdin);
        assert_eq!(ended.status.signal(), Some(Signal::SIGTERM as i32));
        assert!(text(&ended.stderr).contains("Ledger"), "{ended:?}");
    }
}

#[test]
fn attached_ioprof_has_no_capability() {
    requires!();
    let mut cat = Command::new("cat")
        .stdin(Stdio::piped())
        .uid(NOBODY)
        .spawn()
        .expect("cat can be started");
    let folder = folder_of(NOBODY);
    let report = folder.path().join("run.json");
    let mut attach = by_sudo(ioprof())
        .args(["attach", "-p", &cat.id().to_string(), "-o"])
        .arg(&report)
        .stderr(Stdio::piped())
        .spawn()
        .expect("ioprof can be started");
    let mut stderr = reader(&mut attach.stderr);
    assert!(line(&mut stderr).contains("profiling"));
    let status = fs::read_to_string(format!("/proc/{}/status", attach.id()));
    Rights::first(&status.expect("it runs")).assert_reduced(NOBODY, 0);
    drop(cat.stdin.take());
    assert!(cat.wait().expect("a child").success());
    assert!(attach.wait().expect("a child").success());
    let report = Report::read(&report);
    report.assert_nothing_lost();
    assert!(report.workload(0).max_rss_bytes > Some(0));
    assert!(report.ledger.probe_cpu_ns > Some(0));
}

#[test]
fn an_ordinary_user_keeps_neither_of_the_two_capabilities() {
    requires!("setcap");
    let folder = open_folder();
    let copy = support::copy_of_ioprof(folder.path());
    let mut setcap = tool("setcap");
    let given = support::output(setcap.arg("cap_bpf,cap_perfmon+ep").arg(&copy));
    if !given.status.success() {
        return skip("the file system does not keep capabilities");
    }
    let mut run = Command::new(&copy);
    run.args(["run", "--", "sh", "-c", SHOW]);
    let output = support::succeed(run.uid(NOBODY).gid(NOBODY).current_dir("/"));
    let shown = Shown::by(&output);
    for thread in &shown.threads {
        thread.assert_reduced(NOBODY, 0);
    }
    assert_eq!(shown.helper, None);
    assert_eq!(shown.command.capabilities, [0; 4]);
    assert!(!shown.command.no_new_privs);
}
