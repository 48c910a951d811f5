//! The progress bar.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::display::bytes;

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// The number of files that discovery has found so far.
pub type FilesFound = Arc<AtomicU64>;

/// A bar on stderr, if that is a terminal.
pub struct Progress {
    /// Set by discovery.
    pub found: FilesFound,
    bar: Option<ProgressBar>,
    started: Instant,
    drawn: Instant,
    files: u64,
    bytes: u64,
}

impl Progress {
    /// No file done yet.
    pub fn new() -> Self {
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template(
                "{wide_bar} {pos}/{len} files, {per_sec}, {msg}, {eta} left",
            );
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            found: FilesFound::default(),
            bar,
            started: now,
            drawn: now,
            files: 0,
            bytes: 0,
        }
    }

    /// One more file of `bytes_read` is done.
    pub fn file_done(&mut self, bytes_read: u64) {
        let Some(bar) = &self.bar else { return };
        self.files += 1;
        self.bytes += bytes_read;
        if self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        let rate = self.bytes as f64 / self.started.elapsed().as_secs_f64();
        bar.set_length(self.found.load(Ordering::Relaxed).max(self.files));
        bar.set_position(self.files);
        bar.set_message(format!("{}/s", bytes(rate as u64)));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
