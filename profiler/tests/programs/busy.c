/* busy FOLDER: 64 threads that are never done: they read, sleep, fault, write, and have requests in flight all the time.
 * For each byte of standard input every thread makes ten calls of preadv(2) of 100 bytes each, on a file of their own, and
 * a byte on standard output says that all have. FOLDER/counts has how many calls of pread(2) the threads that read have
 * begun, and how many have returned. It ends with its input. */
#define _GNU_SOURCE
#include "ring.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { THREADS = 64, PAGE = 4096, PAGES = 256, DEPTH = 4, MARKED = 10 };

static const char *folder;
static int marked;
static atomic_uint wanted, done;
static atomic_ullong *begun, *returned;

static int file(const char *name, int flags) {
    char path[256];
    must(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path);
    int opened = open(path, flags, 0600);
    must(opened >= 0);
    return opened;
}

static long random_page(unsigned *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return (long)(*seed >> 16) % PAGES * PAGE;
}

/* What is asked for, and not done yet. */
static void answer(unsigned *answered) {
    if (atomic_load(&wanted) == *answered)
        return;
    ++*answered;
    char bytes[100];
    struct iovec part = {bytes, sizeof bytes};
    for (int i = 0; i < MARKED; i++)
        must(preadv(marked, &part, 1, 0) == sizeof bytes);
    atomic_fetch_add(&done, 1);
}

static void rings(unsigned seed, unsigned *answered) {
    open_ring(16);
    int opened = file("data", O_RDONLY | O_DIRECT);
    char *buffer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(buffer != MAP_FAILED);
    for (unsigned free = DEPTH;;) {
        answer(answered);
        for (; free > 0; free--)
            entry(IORING_OP_READ, 0, opened, buffer, PAGE)->off = (uint64_t)random_page(&seed);
        submit(1);
        for (; completed() > 0; free++)
            must(reap() == PAGE);
    }
}

static void submissions(unsigned seed, unsigned *answered) {
    aio_context_t context = 0;
    must(syscall(SYS_io_setup, DEPTH, &context) == 0);
    int opened = file("data", O_RDONLY | O_DIRECT);
    char *buffer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(buffer != MAP_FAILED);
    struct iocb blocks[DEPTH], *next[DEPTH];
    long free = DEPTH;
    for (int i = 0; i < DEPTH; i++)
        next[i] = &blocks[i];
    for (;;) {
        answer(answered);
        for (int i = 0; i < free; i++) {
            memset(next[i], 0, sizeof *next[i]);
            next[i]->aio_lio_opcode = IOCB_CMD_PREAD;
            next[i]->aio_fildes = (uint32_t)opened;
            next[i]->aio_buf = (uintptr_t)buffer;
            next[i]->aio_nbytes = PAGE;
            next[i]->aio_offset = random_page(&seed);
        }
        must(syscall(SYS_io_submit, context, free, next) == free);
        struct io_event events[DEPTH];
        free = syscall(SYS_io_getevents, context, 1L, (long)DEPTH, events, NULL);
        must(free > 0);
        for (int i = 0; i < free; i++)
            next[i] = (struct iocb *)(uintptr_t)events[i].obj;
    }
}

static void faults(unsigned seed, unsigned *answered) {
    int opened = file("data", O_RDONLY);
    char *pages = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, opened, 0);
    must(pages != MAP_FAILED && madvise(pages, PAGES * PAGE, MADV_RANDOM) == 0);
    for (;;) {
        answer(answered);
        char *page = pages + random_page(&seed);
        (void)*(volatile char *)page;
        must(madvise(page, PAGE, MADV_DONTNEED) == 0);
        must(posix_fadvise(opened, page - pages, PAGE, POSIX_FADV_DONTNEED) == 0);
    }
}

static void writes(unsigned seed, unsigned *answered) {
    int opened = file("written", O_WRONLY);
    char bytes[PAGE];
    memset(bytes, 'x', sizeof bytes);
    for (unsigned turn = 0;; turn++) {
        answer(answered);
        must(pwrite(opened, bytes, sizeof bytes, random_page(&seed)) == sizeof bytes);
        if (turn % 16 == 0)
            must(fdatasync(opened) == 0);
    }
}

static void reads(unsigned seed, unsigned *answered, int flags) {
    int opened = file("data", O_RDONLY | flags);
    static _Thread_local _Alignas(PAGE) char bytes[PAGE];
    size_t size = flags ? PAGE : 512;
    for (unsigned turn = 0;; turn++) {
        answer(answered);
        atomic_fetch_add(begun, 1);
        must(pread(opened, bytes, size, random_page(&seed)) == (ssize_t)size);
        atomic_fetch_add(returned, 1);
        if (turn % 8 == 0)
            usleep(seed >> 24);
    }
}

static void *thread(void *argument) {
    unsigned number = (unsigned)(uintptr_t)argument, answered = 0;
    switch (number % 8) {
    case 0: rings(number, &answered); break;
    case 1: submissions(number, &answered); break;
    case 2: faults(number, &answered); break;
    case 3: writes(number, &answered); break;
    case 4: reads(number, &answered, O_DIRECT); break;
    default: reads(number, &answered, 0); break;
    }
    return NULL;
}

static void fill(const char *name, size_t size) {
    int opened = file(name, O_WRONLY | O_CREAT);
    char bytes[PAGE];
    memset(bytes, 'x', sizeof bytes);
    for (size_t written = 0; written < size; written += sizeof bytes)
        must(write(opened, bytes, sizeof bytes) == sizeof bytes);
    must(fsync(opened) == 0 && close(opened) == 0);
}

int main(int argc, char **argv) {
    /* They are never to keep others from the CPUs. */
    must(argc == 2 && setpriority(PRIO_PROCESS, 0, 19) == 0);
    folder = argv[1];
    fill("data", PAGES * PAGE);
    fill("written", PAGES * PAGE);
    fill("marked", PAGE);
    fill("counts", PAGE);
    begun = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file("counts", O_RDWR), 0);
    must(begun != MAP_FAILED);
    returned = begun + 1;
    atomic_store(begun, 0);
    atomic_store(returned, 0);
    marked = file("marked", O_RDONLY);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t started;
        must(pthread_create(&started, NULL, thread, (void *)i) == 0);
    }
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        atomic_store(&done, 0);
        atomic_fetch_add(&wanted, 1);
        while (atomic_load(&done) < THREADS)
            usleep(1000);
        must(write(STDOUT_FILENO, &byte, 1) == 1);
    }
    return 0;
}
