//! A device on which few pages may be dirty, with a file system that everybody may write to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::privileges::as_root;
use crate::process;

const BYTES: u64 = 256 << 20;
const DIRTY_BYTES: &str = "4194304";

/// A loop device; unmounted and freed with this value.
pub struct Limited {
    node: String,
    /// Where it is mounted.
    pub mounted: PathBuf,
}

impl Limited {
    /// Makes one of an image in a folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let image = folder.join("image");
        fs::File::create(&image)
            .and_then(|file| file.set_len(BYTES))
            .map_err(Error::file("make", &image))?;
        process::run(as_root("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let shown = process::output(as_root("losetup").args(["--find", "--show"]).arg(&image))?;
        let made = Self {
            node: shown.trim().to_owned(),
            mounted: folder.join("limited"),
        };
        let at = &made.mounted;
        fs::create_dir(at).map_err(Error::file("make", at))?;
        process::run(as_root("mount").arg(&made.node).arg(at))?;
        process::run(as_root("chmod").arg("0777").arg(at))?;
        made.limit(&[("strict_limit", "1"), ("max_bytes", DIRTY_BYTES)])?;
        Ok(made)
    }

    /// Sets limits of the device.
    fn limit(&self, limits: &[(&str, &str)]) -> Result<()> {
        let name = self.node.trim_start_matches("/dev/");
        limits.iter().try_for_each(|(limit, value)| {
            let set = format!("echo {value} > /sys/block/{name}/bdi/{limit}");
            process::run(as_root("sh").args(["-c", &set]))
        })
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // The kernel keeps them for the next who uses the device.
        let all = [
            self.limit(&[("strict_limit", "0"), ("max_ratio", "100")]),
            process::run(as_root("umount").arg(&self.mounted)),
            process::run(as_root("losetup").args(["--detach", &self.node])),
        ];
        for error in all.into_iter().filter_map(Result::err) {
            eprintln!("{error}");
        }
    }
}
