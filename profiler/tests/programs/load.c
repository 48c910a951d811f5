/* load WHAT PLACE COUNT [CALLS]: much of one thing. It writes "ready", waits for a byte on its standard input,
 * does it, writes "done", and ends with its input.
 *   processes  COUNT children, eight at a time, each of which reads a byte of the file PLACE; every other one
 *              executes this program again and reads a second one
 *   threads    COUNT threads, all there before "ready", that then read CALLS bytes of the file PLACE each
 *   files      COUNT files in the folder PLACE, made and written a byte to
 *   reads      a thread for each CPU that reads COUNT bytes of the file PLACE
 *   nops       a thread for each CPU that has io_uring do nothing COUNT times
 *   pulses     COUNT times a bit of all: a byte of the file PLACE read by a child, by a thread and by itself, a
 *              new file beside it that is written a KiB to and deleted, and one opened that does not exist */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 8, BATCH = 64 };

static const char *place;
static long count, calls;
static int file, gate[2];
static atomic_long finished;

static void read_bytes(long times) {
    char byte;
    for (long i = 0; i < times; i++)
        must(syscall(SYS_pread64, file, &byte, 1L, 0L) == 1);
}

static void start(pthread_t *thread, void *(*what)(void *)) {
    pthread_attr_t small;
    must(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 1 << 14) == 0);
    must(pthread_attr_setguardsize(&small, 0) == 0);
    must(pthread_create(thread, &small, what, NULL) == 0);
}

static void processes(void) {
    for (long i = 0; i < count; i++) {
        if (i >= AT_ONCE)
            must(wait(NULL) > 0);
        /* What is executed again shares the memory until then. */
        pid_t child = i % 2 == 0 ? fork() : vfork();
        must(child >= 0);
        if (child == 0) {
            read_bytes(1);
            if (i % 2 != 0)
                execl("/proc/self/exe", "load", "leaf", place, "1", (char *)NULL);
            _exit(i % 2 != 0);
        }
    }
    while (wait(NULL) > 0)
        ;
}

static void *waits(void *unused) {
    char byte;
    must(syscall(SYS_read, gate[0], &byte, 1L) == 0);
    read_bytes(calls);
    atomic_fetch_add(&finished, 1);
    for (;;)
        pause();
    return unused;
}

static void files(void) {
    char name[4096];
    for (long i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/file-%06ld", place, i);
        int made = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        must(made >= 0 && write(made, "x", 1) == 1 && close(made) == 0);
    }
}

static void *reads(void *unused) {
    read_bytes(count);
    return unused;
}

static void *nops(void *unused) {
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, BATCH, &params);
    must(ring >= 0 && params.features & IORING_FEAT_SINGLE_MMAP);
    size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    int access = PROT_READ | PROT_WRITE;
    char *queues = mmap(NULL, size, access, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    size = params.sq_entries * sizeof(struct io_uring_sqe);
    struct io_uring_sqe *entries = mmap(NULL, size, access, MAP_SHARED, ring, IORING_OFF_SQES);
    must(queues != MAP_FAILED && entries != MAP_FAILED);
    unsigned *indices = (unsigned *)(queues + params.sq_off.array);
    for (unsigned i = 0; i < BATCH; i++) {
        entries[i] = (struct io_uring_sqe){.opcode = IORING_OP_NOP};
        indices[i] = i;
    }
    unsigned *tail = (unsigned *)(queues + params.sq_off.tail);
    unsigned *reaped = (unsigned *)(queues + params.cq_off.head);
    for (long done = 0; done < count; done += BATCH) {
        __atomic_store_n(tail, *tail + BATCH, __ATOMIC_RELEASE);
        must(syscall(SYS_io_uring_enter, ring, BATCH, BATCH, IORING_ENTER_GETEVENTS, NULL, 0L) == BATCH);
        __atomic_store_n(reaped, *reaped + BATCH, __ATOMIC_RELEASE);
    }
    return unused;
}

static void on_each_cpu(void *(*what)(void *)) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t *threads = malloc(cpus * sizeof *threads);
    for (long i = 0; i < cpus; i++)
        start(&threads[i], what);
    for (long i = 0; i < cpus; i++)
        must(pthread_join(threads[i], NULL) == 0);
}

static void *one_read(void *unused) {
    read_bytes(1);
    return unused;
}

static void pulses(void) {
    static char name[4096], kib[1024];
    for (long i = 0; i < count; i++) {
        pid_t child = fork();
        must(child >= 0);
        if (child == 0) {
            read_bytes(1);
            _exit(0);
        }
        must(waitpid(child, NULL, 0) == child);
        pthread_t thread;
        start(&thread, one_read);
        must(pthread_join(thread, NULL) == 0);
        read_bytes(1);
        snprintf(name, sizeof name, "%s-%08ld", place, i);
        int made = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        must(made >= 0 && write(made, kib, sizeof kib) == sizeof kib);
        must(close(made) == 0 && unlink(name) == 0);
        must(open("/nonexistent/file", O_RDONLY) < 0);
    }
}

int main(int argc, char **argv) {
    must(argc >= 4);
    const char *what = argv[1];
    place = argv[2];
    count = atol(argv[3]);
    calls = argc > 4 ? atol(argv[4]) : 0;
    int makes_files = strcmp(what, "files") == 0, is_crowd = strcmp(what, "threads") == 0;
    if (!makes_files)
        must((file = open(place, O_RDONLY)) >= 0);
    if (strcmp(what, "leaf") == 0) {
        read_bytes(count);
        return 0;
    }
    must(pipe(gate) == 0);
    pthread_t thread;
    for (long i = 0; is_crowd && i < count; i++)
        start(&thread, waits);
    char byte;
    must(write(STDOUT_FILENO, "ready\n", 6) == 6);
    must(read(STDIN_FILENO, &byte, 1) == 1);
    if (is_crowd) {
        must(close(gate[1]) == 0);
        while (atomic_load(&finished) < count)
            usleep(1000);
    } else if (makes_files)
        files();
    else if (strcmp(what, "processes") == 0)
        processes();
    else if (strcmp(what, "reads") == 0)
        on_each_cpu(reads);
    else if (strcmp(what, "nops") == 0)
        on_each_cpu(nops);
    else if (strcmp(what, "pulses") == 0)
        pulses();
    else
        must(0);
    must(write(STDOUT_FILENO, "done\n", 5) == 5);
    return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 99;
}
