//! What a snapshot does not hold: the names of workloads and devices.

use crate::{
    kernel::system::{
        DeviceTopology,
        device::{Device, Devices},
    },
    text::Text,
};

/// What is needed beside a snapshot to make a report of it.
#[derive(Debug)]
pub struct Context<'a> {
    /// The names of the workloads, the first of number 1.
    pub names: &'a [Text],
    /// The devices as the window began.
    pub before: &'a Devices,
    /// The devices as it ended.
    pub after: &'a Devices,
    /// The time between.
    pub duration_ns: u64,
}

impl Context<'_> {
    /// The name of a workload; none for 0, which is all other processes.
    pub fn workload(&self, number: u32) -> Option<Text> {
        let index = (number as usize).checked_sub(1)?;
        self.names.get(index).cloned()
    }

    /// The name of a device: that of the kernel, or its numbers where it is gone.
    pub fn device(&self, number: (u32, u32)) -> Text {
        self.found(number).map_or_else(
            || format!("{}:{}", number.0, number.1).into(),
            |device| device.name.clone(),
        )
    }

    /// What is above a device and below.
    pub fn topology(&self, number: (u32, u32)) -> DeviceTopology {
        let found = self.found(number);
        found.map_or_else(DeviceTopology::default, |device| device.topology.clone())
    }

    /// Whether the driver of a device takes bios, and makes no requests of them; false where it is gone.
    pub fn takes_bios(&self, number: (u32, u32)) -> bool {
        self.found(number).is_some_and(|device| device.takes_bios)
    }

    fn found(&self, number: (u32, u32)) -> Option<&Device> {
        [self.after, self.before]
            .into_iter()
            .find_map(|devices| devices.find(number))
    }
}
