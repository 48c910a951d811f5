//! Mount namespaces: paths are followed where they were seen.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, openat},
    sched::{CloneFlags, setns},
    sys::stat::Mode,
    unistd::{chroot, fchdir},
};

use super::{
    handle::Inode,
    lead::{Lead, View, follow},
    mounts::Mounts,
    process,
};

/// The number of this process's mount namespace; none where /proc does not tell.
pub fn own() -> Option<u32> {
    number(Path::new("/proc/self"))
}

fn number(process: &Path) -> Option<u32> {
    let found = fs::metadata(process.join("ns/mnt")).ok()?;
    u32::try_from(found.ino()).ok()
}

/// The mount namespaces that processes are in, for a process of one thread that may enter them.
#[derive(Debug)]
pub struct Namespaces {
    own: u32,
    view: View,
    proc: OwnedFd,
    home: Home,
    /// A descriptor of each other one, by its number, with what it shows once it was entered.
    others: HashMap<u32, Other>,
}

#[derive(Debug)]
struct Other {
    entry: File,
    view: Option<View>,
}

/// What to go back to.
#[derive(Debug)]
struct Home {
    namespace: File,
    root: File,
    folder: File,
}

impl Namespaces {
    /// Those there are now.
    ///
    /// # Errors
    ///
    /// Where /proc is not mounted.
    pub fn now() -> io::Result<Self> {
        let own = own().ok_or(io::ErrorKind::NotFound)?;
        let mut others = HashMap::new();
        for pid in process::numbers()? {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let Some(number) = number(&process).filter(|number| *number != own) else {
                continue;
            };
            let entry = File::open(process.join("ns/mnt"));
            // The process may have ended meanwhile, and its number be another's.
            let is_it = |entry: &File| {
                entry
                    .metadata()
                    .is_ok_and(|it| it.ino() == u64::from(number))
            };
            if let Some(entry) = entry.ok().filter(is_it) {
                let view = None;
                others.entry(number).or_insert(Other { entry, view });
            }
        }
        Ok(Self {
            own,
            view: Mounts::now().into(),
            proc: File::open("/proc")?.into(),
            home: Home {
                namespace: File::open("/proc/self/ns/mnt")?,
                root: File::open("/")?,
                folder: File::open(".")?,
            },
            others,
        })
    }

    /// Where a path leads in a mount namespace, see [`follow`]. Nothing is known of one that has ended.
    ///
    /// # Errors
    ///
    /// Where this process could not come back from there.
    pub fn follow(
        &mut self,
        namespace: u32,
        path: Option<&Path>,
        inode: &Inode,
    ) -> io::Result<(Lead, Option<PathBuf>)> {
        let proc = self.proc.as_fd();
        if namespace == self.own {
            return Ok(follow(path, inode, &mut self.view, proc));
        }
        let Some(other) = self.others.get_mut(&namespace) else {
            return Ok((Lead::Unknown, None));
        };
        // The root is then that of the namespace, whatever that of the process is.
        if setns(&other.entry, CloneFlags::CLONE_NEWNS).is_err() {
            return Ok((Lead::Unknown, None));
        }
        let view = other.view.get_or_insert_with(|| mounts(&self.proc).into());
        let found = follow(path, inode, view, proc);
        self.home.enter()?;
        Ok(found)
    }
}

impl Home {
    fn enter(&self) -> io::Result<()> {
        setns(&self.namespace, CloneFlags::CLONE_NEWNS)?;
        fchdir(&self.root)?;
        chroot(".")?;
        Ok(fchdir(&self.folder)?)
    }
}

/// The mounts of the namespace that this process has entered.
fn mounts(proc: &OwnedFd) -> Mounts {
    let mut text = Vec::new();
    let file = openat(
        proc,
        "self/mountinfo",
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    );
    let read = file.map(|file| File::from(file).read_to_end(&mut text));
    if matches!(read, Ok(Ok(_))) {
        Mounts::parse(&text)
    } else {
        Mounts::default()
    }
}
