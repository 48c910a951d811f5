/* aio_left PROCESSES WAY: so many processes, one after the other, each of which leaves 256 operations that it does not
 * reap, half of them in flight: it ends, is killed, executes another program, or destroys their context and goes on. Then
 * one operation is reaped. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { LEFT = 256 };

static char **program;
static int empty[2];
static char byte;
static struct iocb blocks[LEFT];
static struct iocb *all[LEFT];
static aio_context_t context;

static void submit(long count) {
    must(syscall(SYS_io_setup, LEFT, &context) == 0);
    for (int i = 0; i < count; i++) {
        memset(&blocks[i], 0, sizeof(blocks[i]));
        blocks[i].aio_fildes = (uint32_t)empty[0];
        if (i % 2) {
            blocks[i].aio_lio_opcode = IOCB_CMD_POLL;
            blocks[i].aio_buf = POLLIN;
        } else {
            blocks[i].aio_lio_opcode = IOCB_CMD_PREAD;
            blocks[i].aio_buf = (uintptr_t)&byte;
            blocks[i].aio_nbytes = 1;
        }
        all[i] = &blocks[i];
    }
    must(syscall(SYS_io_submit, context, count, all) == count);
}

static void *execute(void *unused) {
    (void)unused;
    char *arguments[] = {program[0], "0", "end", NULL};
    execv("/proc/self/exe", arguments);
    _exit(98);
}

static void leave(const char *way) {
    submit(LEFT);
    if (!strcmp(way, "killed"))
        kill(getpid(), SIGKILL);
    if (!strcmp(way, "executes")) {
        /* By a thread that has submitted nothing. */
        pthread_t thread;
        must(pthread_create(&thread, NULL, execute, NULL) == 0);
        pause();
    }
    if (!strcmp(way, "destroys"))
        must(syscall(SYS_io_destroy, context) == 0);
}

int main(int argc, char **argv) {
    must(argc == 3);
    program = argv;
    must(pipe2(empty, O_NONBLOCK) == 0);
    for (int i = atoi(argv[1]); i > 0; i--) {
        pid_t child = fork();
        must(child >= 0);
        if (child == 0) {
            leave(argv[2]);
            _exit(0);
        }
        int status;
        must(waitpid(child, &status, 0) == child);
        must(status == 0 || WIFSIGNALED(status));
    }
    struct io_event event;
    submit(1);
    must(syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL) == 1);
    must(syscall(SYS_io_destroy, context) == 0);
    return 0;
}
