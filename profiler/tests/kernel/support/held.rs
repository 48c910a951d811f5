//! A device whose requests stay in flight for as long as a test needs.

use std::fs::{self, File};

use super::{device::Loop, requirements::tool, succeed};

const MIB: u64 = 1 << 20;

/// How many requests the driver of the device takes: what comes then stays with the scheduler, which merges.
pub const TAGS: u8 = 4;

/// A device that completes nothing that is written to it while it is held: its image is on a file system that is frozen.
pub struct Held {
    // The last one to close a device waits for what is written to it. Dropped in this order: each is on the next.
    _open: File,
    /// The device.
    pub device: Loop,
    below: Loop,
}

impl Held {
    /// Makes one that is not held yet.
    pub fn new() -> Self {
        let below = Loop::new(32 * MIB);
        let device = Loop::unmounted_on(&below, 4 * MIB);
        // With a scheduler this is how many requests that has; without one, how many the driver takes.
        device.set("queue/scheduler", "none");
        device.set("queue/nr_requests", &TAGS.to_string());
        device.set("queue/scheduler", "mq-deadline");
        let open = File::open(device.node()).expect("the device can be opened");
        Self {
            _open: open,
            device,
            below,
        }
    }

    /// Holds what is written from now on.
    pub fn freeze(&self) {
        let mut freeze = tool("fsfreeze");
        succeed(freeze.arg("--freeze").arg(self.below.mounted()));
    }

    /// Lets everything complete.
    pub fn thaw(&self) {
        let mut thaw = tool("fsfreeze");
        super::output(thaw.arg("--unfreeze").arg(self.below.mounted()));
    }

    /// The device that its image is on.
    pub const fn below(&self) -> &Loop {
        &self.below
    }

    /// How many requests that write the driver has.
    pub fn in_flight(&self) -> u64 {
        let file = format!("/sys/block/{}/inflight", self.device.name());
        let text = fs::read_to_string(file).expect("the device is there");
        let writes = text.split_whitespace().nth(1).expect("reads and writes");
        writes.parse().expect("a number")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A test that fails leaves nothing frozen.
        self.thaw();
    }
}
