//! The system calls that have no name of their own in the report. They stand here by the names of the functions behind them,
//! those of the 32-bit interface and of other architectures included: what the kernel has and is neither here nor among
//! those with a name is a call that nobody has looked at.

use std::collections::BTreeSet;

/// Those that are `other`.
pub const OTHERS: &str = "
    accept accept4 access acct add_key adjtimex adjtimex_time32 alarm arch_prctl bind bpf brk cachestat capget
    capset chdir chmod chown chown16 chroot clock_adjtime clock_adjtime32 clock_getres clock_getres_time32
    clock_gettime clock_gettime32 clock_nanosleep clock_nanosleep_time32 clock_settime clock_settime32 clone clone3
    close_range connect delete_module dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
    epoll_wait eventfd eventfd2 faccessat faccessat2 fanotify_init fanotify_mark fchdir fchmod fchmodat fchmodat2
    fchown fchown16 fchownat fchroot fcntl fcntl64 fgetxattr file_getattr file_setattr finit_module flistxattr flock
    fork fremovexattr fsconfig fsetxattr fsmount fsopen fspick fstatfs fstatfs64 futex futex_requeue futex_time32
    futex_wait futex_waitv futex_wake futimesat futimesat_time32 get_mempolicy get_robust_list get_thread_area
    getcpu getcwd getdents getegid getegid16 geteuid geteuid16 getgid getgid16 getgroups getgroups16 gethostname
    getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid16 getresuid
    getresuid16 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid16 getxattr
    getxattrat ia32_clone init_module inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel
    io_setup io_uring_register io_uring_setup ioctl ioperm iopl ioprio_get ioprio_set ipc kcmp kexec_file_load
    kexec_load keyctl kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown16
    lgetxattr link linkat listen listmount listns listxattr listxattrat llistxattr lookup_dcookie lremovexattr
    lsetxattr lsm_get_self_attr lsm_list_modules lsm_set_self_attr map_shadow_stack mbind membarrier memfd_create
    memfd_secret migrate_pages mincore mknod mknodat mlock mlock2 mlockall modify_ldt mount mount_setattr move_mount
    move_pages mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time32 mq_timedsend
    mq_timedsend_time32 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd munlock munlockall name_to_handle_at
    nanosleep nanosleep_time32 newuname ni_syscall nice old_getrlimit old_msgctl old_readdir old_select old_semctl
    old_shmctl oldumount olduname open_by_handle_at open_tree open_tree_attr pause pciconfig_iobase pciconfig_read
    pciconfig_write perf_event_open personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root
    pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time32 ppoll_time64 prctl preadv64 preadv64v2 prlimit64
    process_madvise process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time32 pselect6_time64
    ptrace pwritev64 pwritev64v2 quotactl quotactl_fd readlink readlinkat reboot remap_file_pages removexattr
    removexattrat request_key restart_syscall rseq rseq_slice_yield rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time32 rt_sigtimedwait_time64
    rt_tgsigqueueinfo rtas s390_ipc s390_pci_mmio_read s390_pci_mmio_write sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time32 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
    seccomp select semctl semget semop semtimedop semtimedop_time32 set_mempolicy set_mempolicy_home_node
    set_robust_list set_thread_area set_tid_address setdomainname setfsgid setfsgid16 setfsuid setfsuid16 setgid
    setgid16 setgroups setgroups16 sethostname setitimer setns setpgid setpriority setregid setregid16 setresgid
    setresgid16 setresuid setresuid16 setreuid setreuid16 setrlimit setsid setsockopt settimeofday setuid setuid16
    setxattr setxattrat sgetmask shmat shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4
    sigpending sigprocmask sigreturn sigsuspend socket socketcall socketpair spu_create spu_run ssetmask statfs
    statfs64 statmount stime stime32 subpage_prot swapoff swapon symlink symlinkat sync_file_range2 sysfs sysinfo
    syslog tgkill time time32 timer_create timer_delete timer_getoverrun timer_gettime timer_gettime32 timer_settime
    timer_settime32 timerfd_create timerfd_gettime timerfd_gettime32 timerfd_settime timerfd_settime32 times tkill
    umask umount uname unshare uprobe uretprobe uselib userfaultfd ustat utime utime32 utimensat utimensat_time32
    utimes utimes_time32 vfork vhangup vm86 vm86old wait4 waitid waitpid
";

/// Those that never return, so that nothing is counted.
pub const UNSEEN: &str = "exit exit_group";

/// The functions of named calls that have other names than these: older forms, and forms of the 32-bit interface.
const FORMS: &[(&str, &str)] = &[
    ("fadvise64_64", "fadvise64"),
    ("ia32_fadvise64", "fadvise64"),
    ("ia32_fadvise64_64", "fadvise64"),
    ("ia32_fallocate", "fallocate"),
    ("ia32_fstat64", "fstat"),
    ("ia32_fstatat64", "newfstatat"),
    ("ia32_ftruncate64", "ftruncate"),
    ("ia32_lstat64", "lstat"),
    ("ia32_mmap", "mmap"),
    ("ia32_pread64", "pread64"),
    ("ia32_pwrite64", "pwrite64"),
    ("ia32_readahead", "readahead"),
    ("ia32_stat64", "stat"),
    ("ia32_sync_file_range", "sync_file_range"),
    ("ia32_truncate64", "truncate"),
    ("io_getevents_time32", "io_getevents"),
    ("io_pgetevents_time32", "io_pgetevents"),
    ("io_pgetevents_time64", "io_pgetevents"),
    ("llseek", "lseek"),
    ("mmap_pgoff", "mmap"),
    ("newfstat", "fstat"),
    ("newlstat", "lstat"),
    ("newstat", "stat"),
    ("recv", "recvfrom"),
    ("recvmmsg_time32", "recvmmsg"),
    ("recvmmsg_time64", "recvmmsg"),
    ("send", "sendto"),
    ("sendfile64", "sendfile"),
];

/// What the kernel calls the functions of calls by the 64-bit interface.
pub const FUNCTIONS: &[&str] = &["__x64_sys_"];

/// The same by the 32-bit interface; the second are those that take other structures there.
pub const COMPAT_FUNCTIONS: &[&str] = &["__ia32_sys_", "__ia32_compat_sys_"];

/// The call that a function is of; the function's own name where the call has none.
pub fn call_of(function: &str) -> &str {
    let found = FORMS.iter().find(|(own, _)| *own == function);
    found.map_or(function, |(_, call)| call)
}

/// The calls of a kernel, by its symbols (/proc/kallsyms) whose names begin so.
pub fn calls_in(symbols: &str, beginnings: &[&str]) -> BTreeSet<String> {
    let functions = symbols.lines().filter_map(|line| {
        let symbol = line.split_whitespace().nth(2)?;
        beginnings
            .iter()
            .find_map(|beginning| symbol.strip_prefix(beginning))
    });
    // Behind a dot stands what the compiler has split off.
    let whole = functions.filter(|function| !function.contains('.'));
    whole.map(|function| call_of(function).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::syscall::kind_of;

    #[test]
    fn a_call_is_in_one_table_only() {
        let all: Vec<_> = OTHERS.split_whitespace().chain(UNSEEN.split(' ')).collect();
        assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len());
        for name in all {
            assert_eq!(kind_of(name), 0, "{name}");
            assert_eq!(call_of(name), name);
        }
        for (function, call) in FORMS {
            assert_eq!(kind_of(function), 0, "{function}");
            assert_ne!(kind_of(call), 0, "{call}");
        }
    }

    #[test]
    fn functions_of_one_call_are_one() {
        let symbols = "0 T __x64_sys_read\n0 T __x64_sys_newfstat\n0 t __x64_sys_exit.cold\n\
            0 T __ia32_compat_sys_ia32_fstat64\n0 T __ia32_sys_newfstat\n0 T ksys_read\nx\n";
        let names = |beginnings| Vec::from_iter(calls_in(symbols, beginnings));
        assert_eq!(names(FUNCTIONS), ["fstat", "read"]);
        assert_eq!(names(COMPAT_FUNCTIONS), ["fstat"]);
    }
}
