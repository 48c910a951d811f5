//! The commit of a checkout.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A folder that is the top of a checkout; in a linked worktree, too.
pub struct Checkout<'a> {
    folder: &'a Path,
}

impl<'a> Checkout<'a> {
    /// None where the folder is not the top of a checkout, such as where an archive was unpacked inside another
    /// repository, and where there is no git.
    pub fn at(folder: &'a Path) -> Option<Self> {
        let checkout = Self { folder };
        let top = PathBuf::from(checkout.git(&["rev-parse", "--show-toplevel"])?);
        (top.canonicalize().ok()? == folder.canonicalize().ok()?).then_some(checkout)
    }

    /// The hash of the commit, with `-dirty` behind it where tracked files below these paths are not as
    /// committed.
    pub fn commit(&self, paths: &[&str]) -> Option<String> {
        let commit = self.git(&["rev-parse", "--verify", "HEAD"])?;
        let status = ["status", "--porcelain", "--untracked-files=no", "--"];
        let changed = self.git(&[&status, paths].concat())?;
        let dirty = if changed.is_empty() { "" } else { "-dirty" };
        Some(commit + dirty)
    }

    /// The date of the commit, as in 2026-11-22.
    pub fn date(&self) -> Option<String> {
        self.git(&["show", "--no-patch", "--format=%cs", "HEAD"])
    }

    /// The files of which one changes when another commit is checked out or made. Not all of them need be
    /// there.
    pub fn moves_with_head(&self) -> Vec<PathBuf> {
        let branch = self.git(&["symbolic-ref", "--quiet", "HEAD"]);
        ["HEAD", "logs/HEAD", "packed-refs"]
            .into_iter()
            .chain(branch.as_deref())
            .filter_map(|name| self.git(&["rev-parse", "--git-path", name]))
            .map(|path| self.folder.join(path))
            .collect()
    }

    /// What git answers; none where it fails.
    fn git(&self, arguments: &[&str]) -> Option<String> {
        let answer = Command::new("git")
            // root may build from another user's checkout.
            .args(["-c", "safe.directory=*"])
            .args(arguments)
            .current_dir(self.folder)
            // Git hooks set these, maybe for another repository.
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            // Without this, `status` would write the index.
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(answer.stdout).ok()?;
        answer.status.success().then(|| text.trim_end().to_owned())
    }
}
