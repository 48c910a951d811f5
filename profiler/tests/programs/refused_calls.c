/* refused_calls COUNT ERROR: lets seccomp(2) answer COUNT calls of lseek(2) with an error, or with success where that is 0. The kernel
 * then returns from calls that it never traced as begun. */
#define _GNU_SOURCE
#include "must.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    must(argc == 3);
    int error = atoi(argv[2]);
    struct sock_filter lines[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof lines / sizeof *lines, lines};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
    for (long i = atol(argv[1]); i > 0; i--)
        must(error == 0 ? syscall(SYS_lseek, 0, 0L, SEEK_SET) == 0
                        : syscall(SYS_lseek, 0, 0L, SEEK_SET) == -1 && errno == error);
    return 0;
}
