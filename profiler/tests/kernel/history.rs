//! The reports that are kept, so that `ioprof report` alone shows the last run.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    self, folder, ioprof,
    rights::{NOBODY, by_sudo, folder_of},
    text,
};

/// ioprof whose reports are kept below a folder.
fn keeping(state: &Path) -> Command {
    let mut ioprof = ioprof();
    ioprof.env("XDG_STATE_HOME", state);
    ioprof
}

/// What was kept there.
fn kept(state: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(state.join("ioprof")).expect("there is a folder");
    files.map(|file| file.expect("a file").path()).collect()
}

#[test]
fn the_last_run_is_shown_again_and_all_are_listed() {
    requires!();
    let state = folder();
    let run = |command: &str| {
        let mut run = keeping(state.path());
        support::succeed(run.args(["run", "--", "sh", "-c", command]))
    };
    let first = run("exit 0");
    let shown = support::succeed(keeping(state.path()).arg("report"));
    assert_eq!(text(&shown.stdout), text(&first.stderr));
    let files = kept(state.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = files[0].metadata().expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o600);
    // What was kept first is older, whatever the clock says.
    fs::rename(
        &files[0],
        state.path().join("ioprof/20200101-000000-1.json"),
    )
    .expect("renamed");
    run("cat /etc/hostname");
    let listed = support::succeed(keeping(state.path()).args(["report", "--list"]));
    let listed = text(&listed.stdout);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.ends_with("20200101-000000-1.json\n"), "{listed}");
    let whole = support::succeed(keeping(state.path()).args(["report", "--full"]));
    assert!(
        text(&whole.stdout).contains("cat /etc/hostname"),
        "{whole:?}"
    );
}

#[test]
fn nothing_is_kept_where_that_is_not_wanted() {
    requires!();
    let state = folder();
    let mut run = keeping(state.path());
    let ran = support::succeed(run.args(["run", "--no-save", "--", "true"]));
    assert!(!state.path().join("ioprof").exists(), "{ran:?}");
    assert!(text(&ran.stderr).contains("All of it: --full"), "{ran:?}");
}

#[test]
fn that_a_report_cannot_be_kept_is_told_in_one_line_and_the_run_is_as_it_was() {
    requires!();
    let state = folder();
    fs::write(state.path().join("ioprof"), "no folder").expect("written");
    let mut run = keeping(state.path());
    let ended = support::output(run.args(["run", "--", "sh", "-c", "exit 3"]));
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    let said = text(&ended.stderr);
    let warnings = said.lines().filter(|line| line.starts_with("ioprof: "));
    let warnings: Vec<_> = warnings.collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert!(
        warnings[0].contains("not kept") && warnings[0].contains("--no-save"),
        "{said}"
    );
    assert!(said.contains("exit 3") && said.contains("Ledger"), "{said}");
}

#[test]
fn under_sudo_the_report_is_the_callers() {
    requires!();
    let state = folder_of(NOBODY);
    let mut run = by_sudo(keeping(state.path()));
    support::succeed(run.args(["run", "--", "true"]));
    let files = kept(state.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let file = files[0].metadata().expect("it is there");
    assert_eq!((file.uid(), file.mode() & 0o777), (NOBODY, 0o600));
    // `sudo ioprof report` shows the same.
    let shown = support::succeed(by_sudo(keeping(state.path())).args(["report", "--list"]));
    assert_eq!(text(&shown.stdout).lines().count(), 2, "{shown:?}");
}
