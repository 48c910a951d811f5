/* same_number PID: makes a process of that number, which must be free, and says so by a byte on standard output. Both end
 * with the standard input. */
#define _GNU_SOURCE
#include "must.h"
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    must(argc == 2);
    pid_t wanted = (pid_t)strtol(argv[1], NULL, 10);
    struct clone_args arguments = {
        .exit_signal = SIGCHLD,
        .set_tid = (uintptr_t)&wanted,
        .set_tid_size = 1,
    };
    long made = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (made == 0) {
        for (;;)
            pause();
    }
    must(made == wanted && write(STDOUT_FILENO, "x", 1) == 1);
    char byte;
    must(read(STDIN_FILENO, &byte, 1) == 0);
    must(kill(wanted, SIGKILL) == 0 && waitpid(wanted, NULL, 0) == wanted);
    return 0;
}
