//! An overlayfs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{plain, requirements::tool, succeed};

/// An overlayfs with its layers in one folder; unmounted with this value.
pub struct Overlay {
    folder: PathBuf,
}

impl Overlay {
    /// Mounts one whose lower layer has these files, with their sizes.
    pub fn of(folder: &Path, files: &[(&str, usize)]) -> Self {
        let made = Self {
            folder: folder.to_owned(),
        };
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir(made.place(name)).expect("a folder can be made");
        }
        for (name, size) in files {
            let file = made.lower().join(name);
            fs::write(file, vec![1; *size]).expect("a file can be written");
        }
        made.mount();
        made
    }

    fn mount(&self) {
        let layers = ["lower", "upper", "work"].map(|name| self.place(name));
        let [lower, upper, work] = layers.each_ref().map(|place| plain(place));
        let mut mount = tool("mount");
        mount.args(["-t", "overlay", "overlay", "-o"]);
        mount.arg(format!("lowerdir={lower},upperdir={upper},workdir={work}"));
        succeed(mount.arg(self.merged()));
    }

    /// Unmounts it, has something done to what is below, and mounts it again.
    pub fn unmounted(&self, between: impl FnOnce()) {
        succeed(tool("umount").arg(self.merged()));
        between();
        self.mount();
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn lower(&self) -> PathBuf {
        self.place("lower")
    }

    pub fn merged(&self) -> PathBuf {
        self.place("merged")
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        // A test that fails is not to hide why behind a second failure.
        super::output(tool("umount").arg(self.merged()));
    }
}
