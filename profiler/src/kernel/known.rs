//! What this kernel has is in the tables. The system calls that are `other` stand here by the names of the functions behind
//! them, those of the 32-bit interface and of other architectures included: what the kernel has and is neither here nor
//! among those with a name is a call that nobody has looked at.

use std::{collections::BTreeSet, fs};

use super::{
    bpf::{btf, enumerators},
    opcode::uring_name,
    syscall::kind_of,
};

const OTHERS: &str = "
    accept accept4 access acct add_key adjtimex adjtimex_time32 alarm arch_prctl bind bpf brk cachestat capget
    capset chdir chmod chown chown16 chroot clock_adjtime clock_adjtime32 clock_getres clock_getres_time32
    clock_gettime clock_gettime32 clock_nanosleep clock_nanosleep_time32 clock_settime clock_settime32 clone
    clone3 close_range connect delete_module dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait
    epoll_pwait2 epoll_wait eventfd eventfd2 exit exit_group faccessat faccessat2 fadvise64_64 fanotify_init
    fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown16 fchownat fcntl fcntl64 fgetxattr file_getattr
    file_setattr finit_module flistxattr flock fork fremovexattr fsconfig fsetxattr fsmount fsopen fspick fstatfs
    fstatfs64 futex futex_requeue futex_time32 futex_wait futex_waitv futex_wake futimesat futimesat_time32
    get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getegid getegid16 geteuid geteuid16
    getgid getgid16 getgroups getgroups16 gethostname getitimer getpeername getpgid getpgrp getpid getppid
    getpriority getrandom getresgid getresgid16 getresuid getresuid16 getrlimit getrusage getsid getsockname
    getsockopt gettid gettimeofday getuid getuid16 getxattr getxattrat ia32_clone ia32_fadvise64 ia32_fadvise64_64
    ia32_fallocate ia32_fstat64 ia32_fstatat64 ia32_ftruncate64 ia32_lstat64 ia32_mmap ia32_pread64 ia32_pwrite64
    ia32_readahead ia32_stat64 ia32_sync_file_range ia32_truncate64 init_module inotify_add_watch inotify_init
    inotify_init1 inotify_rm_watch io_cancel io_getevents_time32 io_pgetevents_time32 io_pgetevents_time64
    io_setup io_uring_register io_uring_setup ioctl ioperm iopl ioprio_get ioprio_set ipc kcmp kexec_file_load
    kexec_load keyctl kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown16
    lgetxattr link linkat listen listmount listns listxattr listxattrat llistxattr llseek lremovexattr lsetxattr
    lsm_get_self_attr lsm_list_modules lsm_set_self_attr map_shadow_stack mbind membarrier memfd_create
    memfd_secret migrate_pages mincore mknod mknodat mlock mlock2 mlockall mmap_pgoff modify_ldt mount
    mount_setattr move_mount move_pages mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
    mq_timedreceive_time32 mq_timedsend mq_timedsend_time32 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd
    munlock munlockall name_to_handle_at nanosleep nanosleep_time32 newfstat newlstat newstat newuname ni_syscall
    nice old_getrlimit old_msgctl old_readdir old_select old_semctl old_shmctl oldumount olduname
    open_by_handle_at open_tree open_tree_attr pause pciconfig_iobase pciconfig_read pciconfig_write
    perf_event_open personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc
    pkey_free pkey_mprotect poll ppoll ppoll_time32 ppoll_time64 prctl preadv64 preadv64v2 prlimit64
    process_madvise process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time32 pselect6_time64
    ptrace pwritev64 pwritev64v2 quotactl quotactl_fd readlink readlinkat reboot recv recvmmsg_time32
    recvmmsg_time64 remap_file_pages removexattr removexattrat request_key restart_syscall rseq rseq_slice_yield
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time32 rt_sigtimedwait_time64 rt_tgsigqueueinfo rtas s390_ipc s390_pci_mmio_read
    s390_pci_mmio_write sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
    sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time32 sched_setaffinity
    sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
    semtimedop_time32 send sendfile64 set_mempolicy set_mempolicy_home_node set_robust_list set_thread_area
    set_tid_address setdomainname setfsgid setfsgid16 setfsuid setfsuid16 setgid setgid16 setgroups setgroups16
    sethostname setitimer setns setpgid setpriority setregid setregid16 setresgid setresgid16 setresuid
    setresuid16 setreuid setreuid16 setrlimit setsid setsockopt settimeofday setuid setuid16 setxattr setxattrat
    sgetmask shmat shmctl shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending
    sigprocmask sigreturn sigsuspend socket socketcall socketpair spu_create spu_run ssetmask statfs statfs64
    statmount stime stime32 subpage_prot swapoff swapon symlink symlinkat sync_file_range2 sysfs sysinfo syslog
    tgkill time time32 timer_create timer_delete timer_getoverrun timer_gettime timer_gettime32 timer_settime
    timer_settime32 timerfd_create timerfd_gettime timerfd_gettime32 timerfd_settime timerfd_settime32 times tkill
    umask umount uname unshare uprobe uretprobe uselib userfaultfd ustat utime utime32 utimensat utimensat_time32
    utimes utimes_time32 vfork vhangup vm86 vm86old wait4 waitid waitpid
";

/// The functions of the named calls that have other names than those.
const FUNCTIONS: &[(&str, &str)] = &[
    ("newfstat", "fstat"),
    ("newlstat", "lstat"),
    ("newstat", "stat"),
];

#[test]
fn every_call_of_this_kernel_is_in_a_table() {
    let symbols = fs::read_to_string("/proc/kallsyms").expect("everybody may read it");
    let functions: BTreeSet<_> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.strip_prefix("__x64_sys_"))
        // Behind a dot stands what the compiler has split off.
        .filter(|function| !function.contains('.'))
        .collect();
    assert!(functions.len() > 300, "{functions:?}");
    let others: BTreeSet<_> = OTHERS.split_whitespace().collect();
    let is_named = |name: &str| kind_of(name) != 0;
    let strange: Vec<_> = functions
        .iter()
        .filter(|function| !others.contains(**function) && !is_named(function))
        .collect();
    assert!(strange.is_empty(), "in no table: {strange:?}");
    for (function, name) in FUNCTIONS {
        assert!(others.contains(function) && is_named(name), "{name}");
    }
}

#[test]
fn every_opcode_of_this_kernel_has_its_name() {
    let found = enumerators(btf::PATH.as_ref(), "io_uring_op").expect("the kernel's BTF has it");
    assert!(found.len() > 40, "{found:?}");
    for (name, number) in found {
        let name = name.strip_prefix("IORING_OP_").expect("an opcode");
        if name != "LAST" {
            assert_eq!(uring_name(number), name);
        }
    }
}
