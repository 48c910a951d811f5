//! Who has called sudo.

use std::{ffi::CString, io};

use nix::unistd::{
    Gid, Uid, User, getegid, geteuid, getgrouplist, getgroups, setegid, seteuid, setgroups,
};

/// The user who called sudo, where this is root by that.
pub fn caller() -> Option<Uid> {
    ids().map(|(uid, _)| uid)
}

fn ids() -> Option<(Uid, Gid)> {
    let id = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    let (uid, gid) = (id("SUDO_UID")?, id("SUDO_GID")?);
    (geteuid().is_root() && uid != 0).then(|| (uid.into(), gid.into()))
}

/// Does something with the rights of the caller; nothing where there is none. To be used while this process has a
/// single thread: all threads have these rights meanwhile.
pub fn act<T>(act: impl FnOnce() -> io::Result<T>) -> Option<io::Result<T>> {
    let (uid, gid) = ids()?;
    let found = User::from_uid(uid).ok().flatten();
    let groups = found
        .and_then(|user| getgrouplist(&CString::new(user.name).ok()?, gid).ok())
        .unwrap_or_else(|| vec![gid]);
    let (own, own_group) = (geteuid(), getegid());
    let own_groups = match getgroups() {
        Ok(groups) => groups,
        Err(error) => return Some(Err(error.into())),
    };
    let became = setgroups(&groups)
        .and_then(|()| setegid(gid))
        .and_then(|()| seteuid(uid));
    let done = became.map_err(io::Error::from).and_then(|()| act());
    let back = seteuid(own)
        .and_then(|()| setegid(own_group))
        .and_then(|()| setgroups(&own_groups));
    if back.is_err() {
        // Nothing is to go on with the rights of one and the identity of another.
        std::process::abort();
    }
    Some(done)
}
