//! An overlayfs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{plain, requirements::tool, succeed};

/// An overlayfs; unmounted with this value.
pub struct Overlay {
    /// Where it is mounted, and has its upper layer.
    folder: PathBuf,
    /// Its lower layers, the uppermost first.
    below: Vec<PathBuf>,
}

impl Overlay {
    /// Mounts one whose lower layer, in the same folder, has these files, with their sizes.
    pub fn of(folder: &Path, files: &[(&str, usize)]) -> Self {
        let lower = folder.join("lower");
        fs::create_dir(&lower).expect("a folder can be made");
        fill(&lower, files);
        Self::above(vec![lower], folder)
    }

    /// Mounts one above lower layers, the uppermost first, with all else in a folder.
    pub fn above(below: Vec<PathBuf>, folder: &Path) -> Self {
        let made = Self {
            folder: folder.to_owned(),
            below,
        };
        for name in ["upper", "work", "merged"] {
            fs::create_dir(made.place(name)).expect("a folder can be made");
        }
        made.mount();
        made
    }

    fn mount(&self) {
        let below: Vec<_> = self.below.iter().map(|place| plain(place)).collect();
        let [upper, work] = ["upper", "work"].map(|name| self.place(name));
        let mut mount = tool("mount");
        mount.args(["-t", "overlay", "overlay", "-o"]);
        // Inodes have the numbers of those below.
        mount.arg(format!(
            "xino=off,lowerdir={},upperdir={},workdir={}",
            below.join(":"),
            plain(&upper),
            plain(&work)
        ));
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
        self.below[0].clone()
    }

    pub fn upper(&self) -> PathBuf {
        self.place("upper")
    }

    pub fn merged(&self) -> PathBuf {
        self.place("merged")
    }
}

/// Writes files into a folder, with their sizes.
pub fn fill(folder: &Path, files: &[(&str, usize)]) {
    for (name, size) in files {
        fs::write(folder.join(name), vec![1; *size]).expect("a file can be written");
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        // A test that fails is not to hide why behind a second failure.
        super::output(tool("umount").arg(self.merged()));
    }
}
