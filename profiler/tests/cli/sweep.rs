//! `ioprof sweep`: what it refuses, before anything runs.

use super::{assert_refused, refused};

/// The words of a command with one placeholder.
const COMMAND: [&str; 3] = ["--", "true", "{bs}"];

#[test]
fn a_parameter_that_is_none_is_refused_in_a_line() {
    for (parameter, word) in [
        ("bs", "NAME=VALUES"),
        ("=4k", "begins with a letter"),
        ("bs=", "a value is missing"),
        ("bs=4k,,8k", "a value is missing"),
        ("bs=1m..4k", "write 4k..1m"),
        ("bs=0..4k", "begin at 1"),
        ("bs=4k..", "two ends"),
        ("bs=4k,4k", "4k is there twice"),
        ("b\ns=4k", "begins with a letter"),
    ] {
        let words = [&["sweep", "--param", parameter][..], &COMMAND].concat();
        assert_refused(&refused(&words), 2, &["--param", word]);
    }
}

#[test]
fn parameters_and_placeholders_need_each_other() {
    let words = ["sweep", "--param", "bs=4k", "--", "true", "{bs}{depth}"];
    assert_refused(&refused(&words), 2, &["{depth}", "--param depth=VALUES"]);
    let words = ["sweep", "--param", "bs=4k", "--param", "depth=1"];
    let words = [&words[..], &COMMAND].concat();
    assert_refused(&refused(&words), 2, &["no {depth} in the command"]);
    let words = ["sweep", "--param", "bs=4k", "--param", "bs=8k"];
    let words = [&words[..], &COMMAND].concat();
    assert_refused(&refused(&words), 2, &["bs is there twice"]);
}

#[test]
fn nothing_to_vary_or_to_run_is_refused() {
    let words = [&["sweep"][..], &COMMAND].concat();
    assert_refused(&refused(&words), 2, &["nothing is varied", "--param"]);
    let words = ["sweep", "--param", "bs=4k..1m"];
    assert_refused(&refused(&words), 2, &["nothing to run", "async", "--"]);
    let words = [
        "sweep",
        "--param",
        "bs=1..64",
        "--param",
        "depth=1..32768",
        "--",
    ];
    let words = [&words[..], &["true", "{bs}{depth}"]].concat();
    assert_refused(&refused(&words), 2, &["112 settings", "at most 100"]);
}

#[test]
fn a_command_that_does_not_exist_for_any_setting_is_127() {
    let words = [
        "sweep",
        "--param",
        "x=true,no-such-command-at-all",
        "--",
        "{x}",
    ];
    assert_refused(
        &refused(&words),
        127,
        &["no-such-command-at-all", "not found"],
    );
}

#[test]
fn an_option_that_a_workload_does_not_have_is_refused() {
    for (words, status, said) in [
        (
            &["async", "--param", "dept=1"][..],
            2,
            &["no option --dept", "block-size, depth"][..],
        ),
        (
            &["async", "--param", "summary-fd=1"],
            2,
            &["no option --summary-fd"],
        ),
        (&["async", "--param", "help=1"], 2, &["no option --help"]),
        (
            &["async", "--param", "depth=x"],
            2,
            &["invalid value 'x'", "--depth"],
        ),
        (
            &["async", "--param", "depth=1", "--depth", "4"],
            2,
            &["--depth is among the options"],
        ),
        (
            &["async", "--depth=4", "--param=depth=1"],
            2,
            &["--depth is among the options"],
        ),
        (&["async", "--param", "direct=1,0"], 2, &["direct=yes,no"]),
        (
            &["async", "--dept", "3", "--param", "depth=1"],
            2,
            &["unexpected argument '--dept'"],
        ),
        (
            &["async", "mmap", "--param", "depth=1"],
            2,
            &["unexpected argument 'mmap'"],
        ),
        (
            &["asynk", "--param", "depth=1"],
            125,
            &["no workload named \"asynk\""],
        ),
    ] {
        let words = [&["sweep"], words].concat();
        assert_refused(&refused(&words), status, said);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_anything_runs() {
    let words = ["sweep", "-o", "/nonexistent/x.json", "--param", "bs=4k"];
    let words = [&words[..], &COMMAND].concat();
    assert_refused(&refused(&words), 125, &["/nonexistent/x.json", "-o"]);
}
