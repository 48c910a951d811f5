//! What a process may do, and folders of other users.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    process::{Command, Output},
};

use super::text;

pub const NOBODY: u32 = 65534;
pub const CAP_DAC_OVERRIDE: u64 = 1 << 1;
pub const CAP_DAC_READ_SEARCH: u64 = 1 << 2;
pub const CAP_FOWNER: u64 = 1 << 3;
pub const CAP_KILL: u64 = 1 << 5;
pub const CAP_SYS_CHROOT: u64 = 1 << 18;
pub const CAP_SYS_PTRACE: u64 = 1 << 19;
pub const CAP_SYS_ADMIN: u64 = 1 << 21;

/// A command that shows what ioprof may do while it runs: of all threads of ioprof, and of its children.
pub const SHOW: &str = "cat /proc/$PPID/task/*/status; echo ---; \
                    for child in $(cat /proc/$PPID/task/*/children); do cat /proc/$child/status; done";

/// What a thread may do, by its status in /proc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    pub name: String,
    pub uids: Vec<u32>,
    /// Inheritable, permitted, effective, ambient.
    pub capabilities: [u64; 4],
    pub no_new_privs: bool,
}

impl Rights {
    /// Those of every thread whose status stands in a text.
    pub fn all(text: &str) -> Vec<Self> {
        let starts = text.match_indices("Name:").map(|(at, _)| at);
        starts.map(|at| Self::first(&text[at..])).collect()
    }

    pub fn first(status: &str) -> Self {
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.expect("a status has it").trim()
        };
        let mask = |key| u64::from_str_radix(field(key), 16).expect("a mask");
        Self {
            name: field("Name:").to_owned(),
            uids: field("Uid:")
                .split_whitespace()
                .map(|id| id.parse().expect("a number"))
                .collect(),
            capabilities: ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"].map(mask),
            no_new_privs: field("NoNewPrivs:") == "1",
        }
    }

    /// Fails where a thread of ioprof has more or less than these.
    pub fn assert_reduced(&self, uid: u32, kept: u64) {
        assert_eq!(self.uids, [uid; 4], "{self:?}");
        assert_eq!(self.capabilities, [0, kept, kept, 0], "{self:?}");
        assert!(self.no_new_privs, "{self:?}");
    }
}

/// What [`SHOW`] has shown: the threads of ioprof, its helper, and the command.
pub struct Shown {
    pub threads: Vec<Rights>,
    pub helper: Option<Rights>,
    pub command: Rights,
}

impl Shown {
    pub fn by(output: &Output) -> Self {
        let said = text(&output.stdout);
        let (threads, children) = said.split_once("---").expect("both were shown");
        let children = Rights::all(children);
        let find = |name: &str| children.iter().find(|child| child.name == name).cloned();
        let threads = Rights::all(threads);
        assert!(!threads.is_empty(), "{said}");
        Self {
            threads,
            helper: find("ioprof-helper"),
            command: find("sh").expect("the command is a child"),
        }
    }

    /// Fails where any thread of ioprof has more or less than these, or its helper has.
    pub fn assert_reduced(&self, uid: u32, kept: u64) {
        for thread in &self.threads {
            thread.assert_reduced(uid, kept);
        }
        let helper = self.helper.as_ref().expect("root has one");
        let of_paths = CAP_DAC_READ_SEARCH | CAP_SYS_PTRACE | CAP_SYS_CHROOT;
        helper.assert_reduced(0, CAP_SYS_ADMIN | CAP_KILL | of_paths);
    }
}

/// A folder of a user's that nobody else may enter.
pub fn folder_of(user: u32) -> tempfile::TempDir {
    let folder = super::folder();
    let own = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder.path(), own).expect("permissions can be set");
    chown(folder.path(), Some(user), Some(user)).expect("it can be given away");
    folder
}

/// A folder that everybody may use.
pub fn open_folder() -> tempfile::TempDir {
    let folder = super::folder();
    let for_all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), for_all).expect("permissions can be set");
    folder
}

/// ioprof as sudo starts it for nobody.
pub fn by_sudo(mut command: Command) -> Command {
    command
        .env("SUDO_UID", NOBODY.to_string())
        .env("SUDO_GID", NOBODY.to_string());
    command
}
