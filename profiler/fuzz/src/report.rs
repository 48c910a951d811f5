//! `ioprof report` on any bytes.

use ioprof::{
    model::{read::read, report::Report},
    output::{
        json,
        terminal::{self, Style, View},
    },
};

use crate::assert_visible;

/// The bytes of a file.
pub fn bytes(data: &[u8]) {
    if let Ok(report) = read(data) {
        check(&report, data.len());
    }
}

/// The first screen, and all of it.
fn shown(report: &Report) -> String {
    let shown =
        [View::Screen, View::Full].map(|view| terminal::render(report, &view, Style::PLAIN));
    shown.concat()
}

/// What holds of every report that is read.
pub fn check(report: &Report, size: usize) {
    let text = shown(report);
    assert_visible(&text);
    assert!(
        text.len() <= 16 * size + (1 << 20),
        "{} bytes of {size}",
        text.len()
    );
    // Coded histograms take their time.
    if size.is_multiple_of(64) {
        let written = json::render(report);
        assert_visible(str::from_utf8(&written).expect("JSON is UTF-8"));
        assert!(read(&written).as_ref() == Ok(report), "it is not read back");
    }
}
