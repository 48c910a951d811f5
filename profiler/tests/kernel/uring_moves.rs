//! What io_uring moves is counted by opcode and by file, as the program's own completions have it.

use std::{collections::BTreeMap, fs};

use crate::support::{
    self, plain, profile,
    program::Program,
    report::{FileKind, Report, known},
};

const PAGE: u64 = 4096;
const TURNS: u64 = 10;
const MESSAGE: u64 = 1000;

/// The requests and the bytes of each opcode, as the program has counted them.
type Moved = BTreeMap<String, (u64, u64)>;

/// The report of the program, what it says itself, and the folder of its files.
fn moves() -> (Report, Moved, tempfile::TempDir) {
    let program = Program::compile("uring_moves");
    let folder = support::folder();
    let report = profile(&[], &program.with(&[plain(folder.path())]));
    let said = fs::read_to_string(folder.path().join("moved")).expect("it has written that");
    let moved = said.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().expect("a number");
        (words[0].to_owned(), (number(1), number(2)))
    });
    (report, moved.collect(), folder)
}

#[test]
fn every_opcode_has_the_bytes_of_all_its_completions() {
    requires!("cc");
    let (report, mut moved, _folder) = moves();
    let (_, extra) = moved.remove("extra").expect("the program says it");
    assert!(moved.len() >= 10, "{moved:?}");
    for (name, (requests, bytes)) in &moved {
        let one = report.uring(name);
        assert_eq!((one.submissions, one.completions), (*requests, *requests));
        assert_eq!(one.bytes, Some(*bytes), "{name}");
        assert!(one.errors.is_empty(), "{name}: {:?}", one.errors);
    }
    let uring = known(&report.workload(0).io_uring);
    assert_eq!(uring.operations.len(), moved.len());
    assert_eq!(uring.extra_completions, extra);
    assert_eq!(uring.unmatched_completions, 0);
}

#[test]
fn what_requests_read_and_write_is_in_the_rows_of_both_files() {
    requires!("cc");
    let (report, moved, folder) = moves();
    let of = |name: &str| {
        let counts = report.file(&folder.path().join(name)).counts;
        (
            (counts.reads, counts.read_bytes),
            (counts.writes, counts.written_bytes),
        )
    };
    let (once, each) = ((1, TURNS * PAGE), (TURNS, TURNS * PAGE));
    let twice = (TURNS, 2 * TURNS * PAGE);
    assert_eq!(of("vectored"), (twice, twice));
    // Written by a call, and spliced from.
    assert_eq!(of("source"), (each, once));
    assert_eq!(of("held"), (each, once));
    // Spliced to.
    assert_eq!(of("copy"), ((0, 0), each));

    // One message by each opcode and turn; SEND_ZC and its like are received by calls, what is received by one request for
    // all was sent by calls. The end is a completion, too.
    let sockets = report.files_of(FileKind::Sockets);
    let messages = 5 * TURNS;
    assert_eq!((sockets.reads, sockets.writes), (messages + 1, messages));
    let bytes = messages * MESSAGE;
    assert_eq!((sockets.read_bytes, sockets.written_bytes), (bytes, bytes));

    // Two splices there and one from there, a tee from one to the other, and a read of each.
    let pipes = report.files_of(FileKind::Pipes);
    let at_once = if moved.contains_key("READ_MULTISHOT") {
        (TURNS + 1, TURNS * MESSAGE)
    } else {
        (0, 0)
    };
    assert_eq!(
        (pipes.reads, pipes.read_bytes),
        (4 * TURNS + at_once.0, 4 * TURNS * PAGE + at_once.1)
    );
    assert_eq!(
        (pipes.writes, pipes.written_bytes),
        (
            3 * TURNS + at_once.0.saturating_sub(1),
            3 * TURNS * PAGE + at_once.1
        )
    );
}

#[test]
fn requests_that_share_a_number_leave_the_bytes_unknown() {
    requires!("cc");
    let program = Program::compile("uring_moves");
    let folder = support::folder();
    let report = profile(&[], &program.with(&[plain(folder.path()), "SAME"]));
    let receive = report.uring("RECV");
    assert_eq!((receive.submissions, receive.completions), (2, 2));
    assert_eq!(receive.bytes, None);
    assert_eq!(known(&report.workload(0).io_uring).extra_completions, 2);
}

#[test]
fn what_a_command_returns_is_no_number_of_bytes() {
    requires!("cc");
    let program = Program::compile("uring_command");
    let folder = support::folder();
    let said = folder.path().join("answer");
    let report = profile(&[], &program.with(&[plain(&said)]));
    let command = report.uring("URING_CMD");
    assert_eq!((command.submissions, command.completions), (TURNS, TURNS));
    assert_eq!(command.bytes, None);
    let answer = fs::read_to_string(&said).expect("it has written that");
    let failed = if answer == "4" { None } else { Some(&TURNS) };
    assert_eq!(command.errors.get("EOPNOTSUPP"), failed, "{answer}");
}
