//! Tests that cannot run where they are.

use std::{fs::OpenOptions, io::Write as _};

/// Says that the running test, or a part of it, is skipped, where `cargo xtask test` counts it; fails where that is not
/// allowed.
pub fn skip(reason: &str) {
    let test = std::thread::current();
    let line = format!("skipped: {}: {reason}\n", test.name().unwrap_or("a test"));
    assert!(
        std::env::var_os("IOPROF_FORBID_SKIP").is_none(),
        "nothing may be skipped here, but {line}"
    );
    // Past the harness, which shows only what failing tests print.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(log) = std::env::var_os("IOPROF_SKIP_LOG") {
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .and_then(|mut log| log.write_all(line.as_bytes()));
        written.expect("the list of skipped tests can be written");
    }
}
