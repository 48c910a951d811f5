//! The nodes of block devices: their pages are those of the device's own inode, which has no path, and whose number is the
//! device's (`bdev_add` of block/bdev.c). The probes count calls in the row of the node, and pages in that of the inode.

use std::{collections::HashMap, fs, os::unix::fs::MetadataExt as _};

use ioprof_ebpf::abi::{
    block::device_number,
    file::{FileKey, FileStats},
};
use nix::sys::stat::{major, minor};

use super::file::File;
use crate::kernel::system::lead::Lead;

/// Has the row of each node refer to that of its device's inode. Where it is not known which device a node is of, the row
/// is without pages. So it is where a file system holds the device: what was done to its pages by the node is not told from
/// metadata.
pub fn refer_to_devices(files: &mut Vec<File>) {
    let devices: HashMap<(u32, (u32, u32)), (FileKey, bool)> = files
        .iter()
        .filter(|file| is_block_device(file) && file.place.path.is_none())
        .map(|file| {
            let device = device_number(file.key.inode as u32);
            let is_held = file.stats.is_held != 0;
            ((file.key.workload, device), (file.key, is_held))
        })
        .collect();
    if devices.is_empty() {
        return;
    }
    let nodes = files.iter_mut().filter(|file| is_block_device(file));
    for node in nodes.filter(|file| file.place.path.is_some()) {
        let found = device_of(node);
        match found.map(|device| devices.get(&(node.key.workload, device))) {
            Some(None) => {}
            Some(Some((device, false))) => node.stats.upper = *device,
            Some(Some((_, true))) | None => node.has_pages = false,
        }
    }
    files.retain(|file| !is_held_alone(&file.stats));
}

/// Whether a row tells nothing but that its device is held.
fn is_held_alone(stats: &FileStats) -> bool {
    let nothing = FileStats {
        mode: stats.mode,
        path: stats.path,
        is_held: 1,
        ..FileStats::EMPTY
    };
    *stats == nothing
}

const fn is_block_device(file: &File) -> bool {
    file.stats.mode >> 12 == 0o6
}

/// The major and minor number of the device that a node is of.
fn device_of(node: &File) -> Option<(u32, u32)> {
    let is_here = node.place.lead == Lead::There && node.place.namespace.is_none();
    let path = node.place.path.as_ref().filter(|_| is_here)?;
    let number = fs::symlink_metadata(path).ok()?.rdev();
    Some((
        u32::try_from(major(number)).ok()?,
        u32::try_from(minor(number)).ok()?,
    ))
}
