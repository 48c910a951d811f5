/* many_threads FILE: 64 threads, of which 16 are inside read(2) on a pipe, 46 inside futex(2) and 2 computing,
 * the main thread inside read(2) on the standard input. A byte there lets all of them work: ten preads of
 * 512 bytes each. Then a child is made that does twenty, "done" is written, and all wait again until the
 * standard input ends, which it may at once. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READERS = 16, SLEEPERS = 46, COMPUTERS = 2, THREADS = READERS + SLEEPERS + COMPUTERS };

static int file, gate[2];
static atomic_int released, finished, forever;

static void work(int preads) {
    char bytes[512];
    for (int i = 0; i < preads; i++)
        must(syscall(SYS_pread64, file, bytes, sizeof bytes, 0L) == sizeof bytes);
}

static void sleep_on(atomic_int *word) {
    while (atomic_load(word) == 0)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void *thread(void *argument) {
    long number = (long)argument;
    char byte;
    if (number < READERS)
        must(syscall(SYS_read, gate[0], &byte, 1L) == 1);
    else if (number < READERS + SLEEPERS)
        sleep_on(&released);
    else {
        /* They are to be running, and not to keep others from it. */
        struct sched_param none = {0};
        must(pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) == 0);
        while (atomic_load(&released) == 0)
            ;
        must(pthread_setschedparam(pthread_self(), SCHED_OTHER, &none) == 0);
    }
    work(10);
    atomic_fetch_add(&finished, 1);
    sleep_on(&forever);
    return NULL;
}

int main(int argc, char **argv) {
    must(argc == 2);
    file = open(argv[1], O_RDONLY);
    must(file >= 0 && pipe(gate) == 0);
    for (long i = 0; i < THREADS; i++) {
        pthread_t started;
        must(pthread_create(&started, NULL, thread, (void *)i) == 0);
    }
    char byte;
    if (syscall(SYS_read, STDIN_FILENO, &byte, 1L) == 0)
        return 0;
    atomic_store(&released, 1);
    syscall(SYS_futex, &released, FUTEX_WAKE_PRIVATE, SLEEPERS, NULL, NULL, 0);
    for (int i = 0; i < READERS; i++)
        must(write(gate[1], "x", 1) == 1);
    while (atomic_load(&finished) < THREADS)
        syscall(SYS_sched_yield);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        work(20);
        _exit(0);
    }
    int status;
    must(waitpid(child, &status, 0) == child && status == 0);
    must(write(STDOUT_FILENO, "done\n", 5) == 5);
    return syscall(SYS_read, STDIN_FILENO, &byte, 1L) == 0 ? 0 : 99;
}
