//! Names that do something to a terminal, or are no text at all, are shown harmlessly and can be had back.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{
    self, Report,
    attached::Attached,
    ioprof, line, output,
    program::Program,
    reader,
    report::{File, PathState, known},
    succeed,
};
use ioprof::text::Text;

/// What `hostile.c` calls itself.
const OWN_NAME: &[u8] = b"\x1b[31m\n\xff\xc2\x9b2J";

/// Names of files: a new line, colours, the clipboard, C1, a change of direction, no UTF-8, a backslash that looks
/// like an escape, and as many bytes as a name may have.
const NAMES: [&[u8]; 8] = [
    b"new\nline",
    b"\x1b[31;1mred\x1b[0m\x7f",
    b"\x1b]52;c;eA==\x07",
    b"c1\xc2\x9b2J",
    b"\xe2\x80\xaetxt.exe\xe2\x81\xa6",
    b"\xff\xfe\x80",
    br"\x41\\x1b",
    &[b'\x1b'; 255],
];

/// A folder of a hostile name with the files in it, and the program, whose name is no better.
struct Scene {
    outer: tempfile::TempDir,
    inner: PathBuf,
    program: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let compiled = Program::compile("hostile");
        let outer = support::folder();
        let inner = outer.path().join(OsStr::from_bytes(b"in\r\x1b[2J\xff"));
        fs::create_dir(&inner).expect("a folder can be made");
        for name in NAMES {
            fs::write(inner.join(OsStr::from_bytes(name)), [7; 4096]).expect("written");
        }
        let program = outer.path().join(OsStr::from_bytes(b"\x1b[31m\xfe\n"));
        succeed(Command::new("cp").arg(compiled.path()).arg(&program));
        Self {
            outer,
            inner,
            program,
        }
    }
}

/// Fails where a terminal is given anything but lines.
fn assert_harmless(shown: &[u8]) {
    let shown = str::from_utf8(shown).expect("what is shown is UTF-8");
    let acted_on = |c: &char| c.is_control() && *c != '\n' || "\u{202e}\u{2066}".contains(*c);
    assert_eq!(shown.chars().find(acted_on), None, "{shown:?}");
}

/// Fails where each file is not there with what was done to it, by the bytes of its name.
fn assert_identified(report: &Report, folder: &Path, reads: u64) {
    let rows = &known(&report.workload(0).files).top;
    for name in NAMES {
        let path = folder.join(OsStr::from_bytes(name));
        let is_it = |row: &&File| {
            let found = row.path.as_ref().map(Text::bytes).unwrap_or_default();
            found == path.as_os_str().as_bytes()
        };
        let row = rows.iter().find(is_it);
        let row = row.unwrap_or_else(|| panic!("{path:?} is not in {rows:#?}"));
        assert_eq!(row.counts.reads, reads, "{row:#?}");
        assert_eq!(row.counts.read_bytes, 4096 * reads, "{row:#?}");
        assert_eq!(row.path_state, Some(PathState::Gone), "{row:#?}");
    }
}

#[test]
fn a_command_of_hostile_names_is_shown_harmlessly_and_its_files_can_be_told() {
    requires!("cc");
    let scene = Scene::new();
    let file = scene.outer.path().join("run.json");
    let mut run = ioprof();
    run.args(["run", "--full", "-o"]).arg(&file).arg("--");
    let run = succeed(run.arg(&scene.program).arg(&scene.inner));
    assert_harmless(&run.stderr);
    let report = Report::read(&file);
    report.assert_nothing_lost();
    assert_identified(&report, &scene.inner, 2);
    let workload = report.workload(0);
    assert_eq!(workload.name.bytes(), b"\x1b[31m\xfe\n");
    let argv: Vec<_> = workload.argv.iter().map(Text::bytes).collect();
    assert_eq!(argv[0], scene.program.as_os_str().as_bytes());
    assert_eq!(argv[1], scene.inner.as_os_str().as_bytes());

    // The file may be looked at by cat(1), and be shown again.
    assert_harmless(&fs::read(&file).expect("the report is there"));
    let again = succeed(ioprof().args(["report", "--full"]).arg(&file));
    assert_harmless(&again.stdout);
    assert_eq!(again.stdout, run.stderr);
    let shown = support::text(&again.stdout);
    assert!(shown.contains(r"/\xff\xfe\x80 (deleted)"), "{shown}");
}

#[test]
fn a_process_that_hides_behind_escapes_is_attached_to_and_named() {
    requires!("cc");
    let scene = Scene::new();
    let mut process = Command::new(&scene.program)
        .arg(&scene.inner)
        .arg("\u{1b}]0;title\u{7}")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    assert_eq!(line(&mut reader(&mut process.stdout)), "ready\n");
    let attached = Attached::to(&[process.id()], &[]);
    process
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"x")
        .expect("it waits for that");
    assert!(process.wait().expect("a child").success());
    let report = attached.ended();
    report.assert_nothing_lost();
    let workload = report.workload(0);
    assert_eq!(workload.name.bytes(), OWN_NAME);
    assert_eq!(workload.argv[2].bytes(), b"\x1b]0;title\x07");
    assert_identified(&report, &scene.inner, 1);
    let file = scene.outer.path().join("run.json");
    fs::write(&file, report.json.to_string()).expect("written");
    assert_harmless(&output(ioprof().arg("report").arg(&file)).stdout);
}

#[test]
fn an_error_about_hostile_names_is_one_harmless_line() {
    requires!("cc");
    let scene = Scene::new();
    let refused = output(ioprof().args(["run", "--"]).arg(&scene.inner));
    assert_eq!(refused.status.code(), Some(127), "{refused:?}");
    assert_harmless(&refused.stderr);
    assert_eq!(support::text(&refused.stderr).lines().count(), 1);
}
