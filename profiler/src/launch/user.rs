//! The user that the profiled processes run as, where it is not the user of ioprof.

use std::{ffi::CString, io};

use nix::unistd::{
    Gid, Uid, getegid, geteuid, getgrouplist, getgroups, setegid, seteuid, setgid, setgroups,
    setuid,
};

use crate::error::Error;

/// A user with all their groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl User {
    /// The user of a name.
    ///
    /// # Errors
    ///
    /// Where there is none, or this is not root.
    pub fn named(name: &str) -> Result<Self, Error> {
        let name = || name.to_owned();
        let found = nix::unistd::User::from_name(&name());
        let Some(found) = found.map_err(Error::system("looking for the user"))? else {
            return Err(Error::UnknownUser { name: name() });
        };
        if !geteuid().is_root() {
            return Err(Error::NotRoot { name: name() });
        }
        Ok(Self::of(found))
    }

    /// The user who called sudo; none without sudo, and for root.
    pub fn caller() -> Option<Self> {
        let (uid, gid) = (caller_of_sudo()?, Gid::from_raw(id("SUDO_GID")?));
        if !geteuid().is_root() {
            return None;
        }
        let found = nix::unistd::User::from_uid(uid).ok().flatten();
        Some(found.map_or_else(
            || Self {
                name: format!("user {uid}"),
                uid,
                gid,
                groups: vec![gid],
            },
            Self::of,
        ))
    }

    /// The user ID.
    pub const fn uid(&self) -> Uid {
        self.uid
    }

    fn of(found: nix::unistd::User) -> Self {
        let groups = CString::new(found.name.as_bytes())
            .ok()
            .and_then(|name| getgrouplist(&name, found.gid).ok())
            .unwrap_or_else(|| vec![found.gid]);
        Self {
            name: found.name,
            uid: found.uid,
            gid: found.gid,
            groups,
        }
    }

    /// Runs a function with the rights of this user, in a process with a single thread.
    ///
    /// # Errors
    ///
    /// Where this process may not become that user. It aborts if it cannot change back.
    pub fn act_as<T>(&self, act: impl FnOnce() -> T) -> Result<T, Error> {
        let refused = |error: nix::Error| self.refused(error.into());
        let (uid, gid) = (geteuid(), getegid());
        let groups = getgroups().map_err(refused)?;
        let done = setgroups(&self.groups)
            .and_then(|()| setegid(self.gid))
            .and_then(|()| seteuid(self.uid))
            .map(|()| act());
        let back = seteuid(uid)
            .and_then(|()| setegid(gid))
            .and_then(|()| setgroups(&groups));
        if back.is_err() {
            std::process::abort();
        }
        done.map_err(refused)
    }

    /// Makes this process the user's for good.
    ///
    /// # Errors
    ///
    /// The kernel's reason.
    pub fn become_for_good(&self) -> io::Result<()> {
        setgroups(&self.groups)?;
        setgid(self.gid)?;
        Ok(setuid(self.uid)?)
    }

    /// The error of not being able to become this user.
    pub fn refused(&self, source: io::Error) -> Error {
        Error::User {
            name: self.name.clone(),
            source,
        }
    }
}

/// The user who called sudo, whoever this process is now; none without sudo, and for root.
pub fn caller_of_sudo() -> Option<Uid> {
    id("SUDO_UID").filter(|uid| *uid != 0).map(Uid::from_raw)
}

fn id(name: &str) -> Option<u32> {
    std::env::var(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_does_not_exist_is_named() {
        let missing = User::named("no such user");
        assert!(matches!(missing, Err(Error::UnknownUser { name }) if name == "no such user"));
    }
}
