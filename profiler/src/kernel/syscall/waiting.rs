//! Names of calls that are counted among all others, and that threads wait in: for those that are under way.

macro_rules! names {
    ($($(#[$attribute:meta])* $name:literal $number:path),* $(,)?) => {
        &[$($(#[$attribute])* ($number, $name)),*]
    };
}

const NAMES: &[(libc::c_long, &str)] = names![
    "accept" libc::SYS_accept,
    "accept4" libc::SYS_accept4,
    "clock_nanosleep" libc::SYS_clock_nanosleep,
    "clone" libc::SYS_clone,
    "clone3" libc::SYS_clone3,
    "connect" libc::SYS_connect,
    "epoll_pwait" libc::SYS_epoll_pwait,
    "epoll_pwait2" libc::SYS_epoll_pwait2,
    "exit" libc::SYS_exit,
    "exit_group" libc::SYS_exit_group,
    "fcntl" libc::SYS_fcntl,
    "finit_module" libc::SYS_finit_module,
    "flock" libc::SYS_flock,
    "futex" libc::SYS_futex,
    "futex_waitv" libc::SYS_futex_waitv,
    "getrandom" libc::SYS_getrandom,
    "init_module" libc::SYS_init_module,
    "ioctl" libc::SYS_ioctl,
    "membarrier" libc::SYS_membarrier,
    "mount" libc::SYS_mount,
    "mq_timedreceive" libc::SYS_mq_timedreceive,
    "mq_timedsend" libc::SYS_mq_timedsend,
    "msgrcv" libc::SYS_msgrcv,
    "msgsnd" libc::SYS_msgsnd,
    "nanosleep" libc::SYS_nanosleep,
    "ppoll" libc::SYS_ppoll,
    "pselect6" libc::SYS_pselect6,
    "ptrace" libc::SYS_ptrace,
    "restart_syscall" libc::SYS_restart_syscall,
    "rt_sigsuspend" libc::SYS_rt_sigsuspend,
    "rt_sigtimedwait" libc::SYS_rt_sigtimedwait,
    "semop" libc::SYS_semop,
    "semtimedop" libc::SYS_semtimedop,
    "setns" libc::SYS_setns,
    "swapoff" libc::SYS_swapoff,
    "umount2" libc::SYS_umount2,
    "unshare" libc::SYS_unshare,
    "wait4" libc::SYS_wait4,
    "waitid" libc::SYS_waitid,
    // The calls below are older forms, which newer architectures do not have.
    #[cfg(target_arch = "x86_64")] "epoll_wait" libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")] "fork" libc::SYS_fork,
    #[cfg(target_arch = "x86_64")] "pause" libc::SYS_pause,
    #[cfg(target_arch = "x86_64")] "poll" libc::SYS_poll,
    #[cfg(target_arch = "x86_64")] "select" libc::SYS_select,
    #[cfg(target_arch = "x86_64")] "vfork" libc::SYS_vfork,
];

/// The name of a call by its number, where it is one of these.
pub fn name(number: u32) -> Option<&'static str> {
    let mut names = NAMES.iter();
    let found = names.find(|(known, _)| *known == libc::c_long::from(number));
    found.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_once() {
        for (number, expected) in NAMES {
            let number = u32::try_from(*number).expect("a number");
            assert_eq!(name(number), Some(*expected));
            let kinds = super::super::kinds();
            assert_eq!(kinds[number as usize], 0, "{expected} has a row of its own");
        }
        assert_eq!(name(u32::MAX), None);
    }
}
