//! Settings of the machine that are changed for a while, and put back however ioprof ends.
//!
//! A second process knows how everything was found. It is told of each change before that is made, and waits for the end of
//! a pipe: where the end comes without a word, ioprof is gone, and it puts back what was changed. It has a session of its
//! own, so that what ends a terminal's processes does not end it.

use std::{
    ffi::CStr,
    io::{self, Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::wait::waitpid,
    unistd::{ForkResult, Pid, chdir, fork, setsid},
};

use crate::{
    error::Error,
    kernel::{
        close_all_but, ignore_signals,
        system::tunable::{Change, Files, Saved, Unrestored},
    },
};

/// Its name among the processes.
const NAME: &CStr = c"ioprof-keeper";
/// Says that everything is as it is meant to be.
const DONE: u8 = u8::MAX;

/// Settings that are put back when this is dropped, and when ioprof is killed.
pub struct Keeper {
    process: Pid,
    pipe: Option<io::PipeWriter>,
    settings: Settings,
    /// Held until both processes have ended.
    _locks: Locks,
}

/// Locks of folders of settings, against another ioprof.
pub struct Locks(Vec<Flock<OwnedFd>>);

impl Locks {
    /// Takes them, before the settings are looked at: what another one has changed is not how they were found.
    ///
    /// # Errors
    ///
    /// Where another one has one of them.
    pub fn take(files: &Files, folders: &[String]) -> Result<Self, Error> {
        let locks = folders.iter().map(|folder| lock(files, folder));
        Ok(Self(locks.collect::<Result<_, _>>()?))
    }
}

/// The groups of settings as they were found, and those that were changed, in their order.
struct Settings {
    files: Files,
    found: Vec<Saved>,
    changed: Vec<usize>,
}

impl Settings {
    fn note(&mut self, group: usize) {
        if !self.changed.contains(&group) {
            self.changed.push(group);
        }
    }

    /// The last change first.
    fn restore(&mut self) -> Vec<Unrestored> {
        let mut unrestored = Vec::new();
        while let Some(group) = self.changed.pop() {
            if let Some(found) = self.found.get(group) {
                unrestored.extend(found.restore(&self.files));
            }
        }
        unrestored
    }
}

impl Keeper {
    /// Starts the second process. Call it while this one has one thread.
    ///
    /// # Errors
    ///
    /// Where no process can be made.
    pub fn start(files: Files, found: Vec<Saved>, locks: Locks) -> Result<Self, Error> {
        let (reader, writer) = io::pipe().map_err(Error::system("making a pipe"))?;
        let mut settings = Settings {
            files,
            found,
            changed: Vec::new(),
        };
        // SAFETY: this process has one thread, so that its copy may do what it may.
        match unsafe { fork() }.map_err(Error::system("starting a process"))? {
            ForkResult::Child => {
                drop(writer);
                let keep = || keep(reader, &mut settings, &locks);
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(keep));
                // SAFETY: the call ends the process, which holds nothing that needs to be dropped.
                unsafe { libc::_exit(0) }
            }
            ForkResult::Parent { child } => Ok(Self {
                process: child,
                pipe: Some(writer),
                settings,
                _locks: locks,
            }),
        }
    }

    /// Changes a setting of a group; inside, why the kernel does not take it.
    ///
    /// # Errors
    ///
    /// Where the second process is gone: nothing is changed then.
    pub fn change(&mut self, group: usize, change: &Change) -> Result<io::Result<()>, Error> {
        let number = u8::try_from(group).ok().filter(|number| *number != DONE);
        let told = match (number, &mut self.pipe) {
            (Some(number), Some(pipe)) => pipe.write_all(&[number]),
            _ => Err(io::Error::other("there are too many settings")),
        };
        told.map_err(Error::system("telling the keeper of a change"))?;
        self.settings.note(group);
        Ok(change.make(&self.settings.files))
    }

    /// Puts everything back; what cannot be.
    pub fn restore(&mut self) -> Vec<Unrestored> {
        self.settings.restore()
    }

    /// Leaves what is changed by now.
    pub fn leave(mut self) {
        self.settings.changed.clear();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // What cannot be put back was told by who asked for it, or is on the way of a panic.
        let _ = self.settings.restore();
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[DONE]);
        }
        let _ = waitpid(self.process, None);
    }
}

/// A lock that the second process has, too, and that lasts until both have ended.
fn lock(files: &Files, folder: &str) -> Result<Flock<OwnedFd>, Error> {
    let place = files.place(folder);
    let opened = std::fs::File::open(&place).map_err(Error::system("opening a folder of /sys"))?;
    Flock::lock(OwnedFd::from(opened), FlockArg::LockExclusiveNonblock).map_err(|_| {
        Error::TuneSystem {
            reason: format!(
                "another process has the lock of {}; wait for its end",
                place.display()
            ),
        }
    })
}

/// Waits for the end of ioprof.
fn keep(mut pipe: io::PipeReader, settings: &mut Settings, locks: &Locks) -> io::Result<()> {
    ignore_signals()?;
    let _ = setsid();
    // It is in the way of no unmount.
    let _ = chdir("/");
    let _ = nix::sys::prctl::set_name(NAME);
    let mut held: Vec<_> = locks.0.iter().map(|lock| lock.as_raw_fd()).collect();
    held.extend([pipe.as_raw_fd(), libc::STDERR_FILENO]);
    let _ = close_all_but(held);
    let mut told = [0];
    loop {
        match pipe.read(&mut told) {
            Ok(0) => break,
            Ok(_) if told[0] == DONE => return Ok(()),
            Ok(_) => settings.note(told[0].into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let unrestored = settings.restore();
    let said = match &unrestored[..] {
        [] => "ioprof-keeper: ioprof is gone; all settings are as they were\n".to_owned(),
        some => some.iter().map(told_of).collect(),
    };
    io::stderr().write_all(said.as_bytes())
}

fn told_of(unrestored: &Unrestored) -> String {
    let Unrestored {
        place,
        found,
        reason,
    } = unrestored;
    format!("ioprof-keeper: {place} was {found} and is not so ({reason}); write it by hand\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_is_put_back_first_and_each_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("a"), "1\n").expect("written");
        let files = Files::below(folder.path());
        // Both have the same file; what the first found is what is left.
        let first = Saved::files(&files, ["a".to_owned()]);
        files.write("a", b"2\n").expect("written");
        let second = Saved::files(&files, ["a".to_owned()]);
        let mut settings = Settings {
            files: files.clone(),
            found: vec![first, second],
            changed: Vec::new(),
        };
        for group in [0, 1, 0] {
            settings.note(group);
        }
        files.write("a", b"3").expect("written");
        assert_eq!(settings.restore(), []);
        assert_eq!(files.read("a").expect("read"), b"1\n");
        files.write("a", b"4").expect("written");
        assert_eq!(settings.restore(), []);
        assert_eq!(files.read("a").expect("read"), b"4", "it is not its own");
    }
}
