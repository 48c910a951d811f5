//! Fuzz targets: the parsers of untrusted input. A target fails by a panic.

mod compare;
mod findings;
mod report;
mod values;

use std::{borrow::Cow, ffi::OsStr, os::unix::ffi::OsStrExt as _};

use clap::Parser as _;
use ioprof::{
    cli::Cli,
    kernel::system::{
        Mounts,
        device::DeviceStat,
        machine::stolen_ticks,
        process::{Status, words},
    },
    output::{
        format::{command_line, wrapped},
        text::{is_visible, shortened, shortened_before, visible, width},
    },
    text::Text,
};

/// Takes any bytes, and returns.
pub type Target = fn(&[u8]);

/// All of them, by the names of their folders in `corpus/`.
pub const TARGETS: [(&str, Target); 7] = [
    ("report", report::bytes),
    ("values", values::mutated),
    ("findings", findings::mutated),
    ("compare", compare::compared),
    ("text", names),
    ("proc", files_of_the_kernel),
    ("words", command_words),
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, target)| *target)
}

/// Fails where a terminal would be given something to act on.
fn assert_visible(text: &str) {
    let acted_on = text.chars().find(|c| *c != '\n' && !is_visible(*c));
    assert_eq!(acted_on, None);
}

/// Any bytes as a name, and any text of a report.
fn names(data: &[u8]) {
    let name = Text::of_bytes(data);
    assert_eq!(name.bytes(), data);
    let shown = name.to_string();
    assert_eq!(
        Text::from(shown.as_str()).bytes(),
        data,
        "it can be had back from a terminal, too"
    );
    for text in [shown, visible(&String::from_utf8_lossy(data)).into_owned()] {
        assert!(text.chars().all(is_visible));
        assert_eq!(visible(&text), text);
        for most in [3, 4, 10, 80] {
            assert!(width(&shortened(&text, most)) <= most);
            assert!(width(&shortened_before(&text, most)) <= most);
        }
        let parts: Vec<_> = text.split(' ').map(str::to_owned).collect();
        let lines = wrapped(&parts, 80, "  ");
        let is_joined = |line: &str| line.trim_start().contains(' ');
        assert!(
            lines
                .lines()
                .all(|line| width(line) <= 80 || !is_joined(line))
        );
        let words: Vec<_> = parts.into_iter().map(Text::from).collect();
        assert!(!command_line(&words).contains('\n'));
    }
}

/// What /proc and /sys say: of the processes that are looked at, and as file systems in user space say it in
/// containers.
fn files_of_the_kernel(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let status = Status::parse(data);
    assert!(status.max_rss_bytes.is_none() || text.contains("VmHWM:"));
    assert!(words(data).iter().all(|word| *word != ""));
    let mounts = Mounts::parse(data);
    assert!(mounts.of_whole((0, 1)).is_none() || mounts.of((0, 1)).is_some());
    if let Some(stat) = DeviceStat::parse(&text) {
        assert!(stat.read_bytes.is_multiple_of(512) || stat.read_bytes == u64::MAX);
    }
    if stolen_ticks(&text).is_some() {
        assert!(text.starts_with("cpu "));
    }
}

/// The command line, its words divided by zero bytes.
fn command_words(data: &[u8]) {
    let words = data.split(|byte| *byte == 0).take(64);
    let words = words.map(|word| Cow::from(OsStr::from_bytes(word)));
    if let Err(error) =
        Cli::try_parse_from([Cow::from(OsStr::new("ioprof"))].into_iter().chain(words))
    {
        for line in error.render().to_string().lines() {
            assert_visible(&visible(line));
        }
    }
}
