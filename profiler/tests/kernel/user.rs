//! Whose rights what is profiled has.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Output},
};

use crate::support::{
    self, ioprof, plain,
    requirements::tool,
    rights::{NOBODY, by_sudo, folder_of, open_folder},
    text,
};

/// What a command of `--user nobody` prints.
fn as_nobody(run: &mut Command, command: &[&str]) -> Output {
    run.args(["run", "--user", "nobody", "--"]).args(command);
    support::output(run)
}

#[test]
fn a_command_runs_as_the_user_that_is_named_with_all_else_as_it_is() {
    requires!("setpriv");
    // The groups are those of setpriv(1), which asks the same data bases.
    let mut setpriv = tool("setpriv");
    setpriv.args([
        "--reuid=nobody",
        "--regid",
        &NOBODY.to_string(),
        "--init-groups",
    ]);
    let expected = support::succeed(setpriv.arg("id"));
    // Groups that are root's, and are not to become the user's.
    let mut run = ioprof();
    // SAFETY: one system call is made.
    unsafe { run.pre_exec(|| Ok(nix::unistd::setgroups(&[1.into(), 2.into()])?)) };
    let ran = as_nobody(&mut run, &["id"]);
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(text(&ran.stdout), text(&expected.stdout));
    assert!(
        text(&ran.stdout).starts_with("uid=65534(nobody)"),
        "{ran:?}"
    );

    let folder = open_folder();
    let mut run = ioprof();
    run.env("HOME", "/some/home")
        .env("IOPROF_MARK", "kept")
        .current_dir(folder.path());
    // SAFETY: one system call is made.
    unsafe {
        run.pre_exec(|| {
            let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
            Ok(nix::sys::resource::setrlimit(limit, 300, 4000)?)
        });
    }
    let show = r#"echo "$HOME $IOPROF_MARK $(ulimit -Sn) $(ulimit -Hn)"; pwd; grep -E "^Cap(Prm|Eff)|^NoNew" /proc/self/status"#;
    let ran = as_nobody(&mut run, &["sh", "-c", show]);
    let expected = format!(
        "/some/home kept 300 4000\n{}\n\
         CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t0\n",
        folder.path().display()
    );
    assert_eq!(text(&ran.stdout), expected, "{ran:?}");
}

#[test]
fn a_setuid_program_is_still_one() {
    requires!();
    let folder = open_folder();
    let id = folder.path().join("id");
    support::succeed(Command::new("cp").arg("/usr/bin/id").arg(&id));
    fs::set_permissions(&id, fs::Permissions::from_mode(0o4755)).expect("permissions can be set");
    let ran = as_nobody(&mut ioprof(), &[plain(&id), "-u"]);
    assert_eq!(text(&ran.stdout), "0\n", "{ran:?}");
}

#[test]
fn a_command_is_looked_for_with_the_rights_of_its_user() {
    requires!();
    let (first, second) = (folder_of(0), open_folder());
    let program = |folder: &Path, words: &str, mode: u32| {
        let file = folder.join("command-of-the-test");
        fs::write(&file, format!("#!/bin/sh\necho {words}\n")).expect("it can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("they can be set");
    };
    program(first.path(), "of root", 0o755);
    let path = |folders: &[&Path]| std::env::join_paths(folders).expect("plain paths");
    let both = path(&[first.path(), second.path()]);
    let run = |path| as_nobody(ioprof().env("PATH", path), &["command-of-the-test"]);
    let refused = |output: &Output, status, words| {
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    };
    refused(&run(&both), 127, "not found");
    program(second.path(), "of all", 0o700);
    refused(&run(&both), 126, "Permission denied");
    program(second.path(), "of all", 0o755);
    assert_eq!(text(&run(&both).stdout), "of all\n");
}

/// Whose the data are that a built-in workload makes.
fn owner_of_data(mut run: Command, options: &[&str]) -> u32 {
    let folder = support::folder();
    let for_all = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(folder.path(), for_all).expect("permissions can be set");
    run.arg("run").args(options);
    run.args([
        "async",
        "--engine",
        "tokio",
        "--files",
        "4",
        "--file-size",
        "4K",
    ]);
    let output = support::succeed(run.arg("--keep").arg("--dir").arg(folder.path()));
    assert!(text(&output.stderr).contains("Ledger"), "{output:?}");
    let made = fs::read_dir(folder.path()).expect("it is there").next();
    let made = made.expect("data were made").expect("it is there");
    made.metadata().expect("it is there").uid()
}

#[test]
fn a_built_in_workload_runs_as_who_called_sudo_unless_another_is_named() {
    requires!();
    assert_eq!(owner_of_data(ioprof(), &[]), 0);
    assert_eq!(owner_of_data(ioprof(), &["--user", "nobody"]), NOBODY);
    assert_eq!(owner_of_data(by_sudo(ioprof()), &["--user", "root"]), 0);
    // From where only root may enter.
    let folder = folder_of(0);
    let copy = support::copy_of_ioprof(folder.path());
    assert_eq!(owner_of_data(by_sudo(Command::new(copy)), &[]), NOBODY);
}
