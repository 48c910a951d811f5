/* waits WAY ...: what a thread may wait for.
 *
 *   dsync FILE    100 appending writes to a file opened with O_DSYNC
 *   sync FILE     the same with O_SYNC
 *   rwf FILE      the same by pwritev2 with RWF_DSYNC
 *   dirsync DIR   100 folders made in DIR, which has directory operations written at once
 *   inotify       10 inotify descriptors with a watch closed, each of which waits for a thread of the kernel
 *   clone FILE    100 times 64 KiB written to FILE, and cloned to FILE-clone by an ioctl of the file system
 *   pipe FILE     by a ring: a pipe that another thread writes to ten times, one tenth of a second apart, while a third
 *                 thread reads FILE without the cache
 *   timer FILE    the same with a timeout of the ring
 *   ring FILE     by a ring: FILE without the cache, 1,000 times 4 KiB
 *   fsync FILE    by a ring: 100 appending writes to FILE by calls, and an fsync after each
 *   worker FILE   by a ring: 100 appending writes to FILE, which was opened with O_DSYNC
 *   mapped FILE   each page of FILE by a mapping, none of them in the cache before
 *   dirtied FILE  each page of 64 MiB of FILE made dirty by a mapping
 *   handled       20 pages of memory whose faults another thread handles, each after a hundredth of a second
 *   munmap FILE   the last reference to 512 MiB of memory given up by munmap; FILE has the nanoseconds that it took
 *   dup2 FILE     the same by a dup2 over its descriptor
 *   exit          the same by the end of the process
 */
#define _GNU_SOURCE
#include "ring.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

enum { BLOCK = 4096, WRITES = 100, ROUNDS = 10, DIRTIED = 64 << 20, MEMORY = 512 << 20 };
static const char *way, *path;
static char buffer[16 * BLOCK] __attribute__((aligned(BLOCK)));
static char apart[BLOCK] __attribute__((aligned(BLOCK)));
static int pipes[2];
static int ends;
static const struct timespec pause_of = {0, 100 * 1000 * 1000};

static int is(const char *name) {
    return strcmp(way, name) == 0;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * (int64_t)1000000000 + time.tv_nsec;
}

static void write_durably(int flags, int write_flags) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | flags, 0600);
    must(file >= 0);
    struct iovec block = {buffer, BLOCK};
    for (off_t i = 0; i < WRITES; i++)
        must(pwritev2(file, &block, 1, i * BLOCK, write_flags) == BLOCK);
}

static void make_folders(void) {
    int folder = open(path, O_RDONLY | O_DIRECTORY), flags = 0;
    must(folder >= 0 && ioctl(folder, FS_IOC_GETFLAGS, &flags) == 0);
    flags |= FS_DIRSYNC_FL;
    must(ioctl(folder, FS_IOC_SETFLAGS, &flags) == 0);
    for (int i = 0; i < WRITES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "folder-%d", i);
        must(mkdirat(folder, name, 0700) == 0);
    }
}

static void clone_files(void) {
    char name[4096];
    snprintf(name, sizeof(name), "%s-clone", path);
    int from = open(path, O_RDWR | O_CREAT, 0600), to = open(name, O_RDWR | O_CREAT, 0600);
    must(from >= 0 && to >= 0);
    for (int i = 0; i < WRITES; i++) {
        must(pwrite(from, buffer, sizeof(buffer), 0) == sizeof(buffer));
        must(ioctl(to, FICLONE, from) == 0);
    }
}

static void *write_to_pipe(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        must(nanosleep(&pause_of, NULL) == 0);
        must(write(pipes[1], "x", 1) == 1);
    }
    return NULL;
}

static void *read_all_the_time(void *unused) {
    (void)unused;
    int file = open(path, O_RDONLY | O_DIRECT);
    must(file >= 0);
    while (!__atomic_load_n(&ends, __ATOMIC_ACQUIRE))
        must(pread(file, apart, BLOCK, 0) == BLOCK);
    return NULL;
}

static void wait_by_ring(void) {
    open_ring(16);
    must(pipe(pipes) == 0);
    pthread_t reader, writer;
    must(pthread_create(&reader, NULL, read_all_the_time, NULL) == 0);
    if (is("pipe"))
        must(pthread_create(&writer, NULL, write_to_pipe, NULL) == 0);
    struct __kernel_timespec timeout = {0, pause_of.tv_nsec};
    for (int i = 0; i < ROUNDS; i++) {
        if (is("pipe"))
            entry(IORING_OP_READ, 0, pipes[0], buffer, 1);
        else
            entry(IORING_OP_TIMEOUT, 0, -1, &timeout, 1)->off = 0;
        submit(1);
        must(reap() == (is("pipe") ? 1 : -ETIME));
    }
    __atomic_store_n(&ends, 1, __ATOMIC_RELEASE);
    must(pthread_join(reader, NULL) == 0);
}

static void read_by_ring(void) {
    open_ring(16);
    int file = open(path, O_RDONLY | O_DIRECT);
    must(file >= 0);
    for (int i = 0; i < 1000; i++) {
        entry(IORING_OP_READ, 0, file, buffer, BLOCK)->off = 0;
        submit(1);
        must(reap() == BLOCK);
    }
}

static void write_by_ring(void) {
    open_ring(16);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | (is("worker") ? O_DSYNC : 0), 0600);
    must(file >= 0);
    for (off_t i = 0; i < WRITES; i++) {
        if (is("worker")) {
            entry(IORING_OP_WRITE, 0, file, buffer, BLOCK)->off = i * BLOCK;
        } else {
            must(pwrite(file, buffer, BLOCK, i * BLOCK) == BLOCK);
            entry(IORING_OP_FSYNC, 0, file, NULL, 0)->off = 0;
        }
        submit(1);
        must(reap() == (is("worker") ? BLOCK : 0));
    }
}

static void give_up_memory(void) {
    int file = memfd_create("memory", 0);
    must(file >= 0 && fallocate(file, 0, 0, MEMORY) == 0);
    int64_t began = 0;
    if (is("munmap")) {
        void *mapped = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, file, 0);
        must(mapped != MAP_FAILED && close(file) == 0);
        began = now();
        must(munmap(mapped, BLOCK) == 0);
    } else if (is("dup2")) {
        began = now();
        must(dup2(0, file) == file);
    } else {
        return;
    }
    int64_t took = now() - began;
    FILE *said = fopen(path, "w");
    must(said != NULL && fprintf(said, "%lld", (long long)took) > 0 && fclose(said) == 0);
}

static void read_by_mapping(void) {
    int file = open(path, O_RDONLY);
    struct stat status;
    must(file >= 0 && fstat(file, &status) == 0);
    must(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    const volatile char *bytes = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, file, 0);
    must(bytes != MAP_FAILED && madvise((void *)bytes, status.st_size, MADV_RANDOM) == 0);
    for (off_t i = 0; i < status.st_size; i += BLOCK)
        (void)bytes[i];
}

static void write_by_mapping(void) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    must(file >= 0 && fallocate(file, 0, 0, DIRTIED) == 0);
    char *bytes = mmap(NULL, DIRTIED, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(bytes != MAP_FAILED);
    for (off_t i = 0; i < DIRTIED; i += BLOCK)
        bytes[i] = 1;
}

static void *handle_faults(void *given) {
    int handler = *(int *)given;
    const struct timespec pause = {0, 10 * 1000 * 1000};
    struct uffd_msg fault;
    while (read(handler, &fault, sizeof fault) == sizeof fault) {
        must(nanosleep(&pause, NULL) == 0);
        struct uffdio_zeropage page = {
            .range = {.start = fault.arg.pagefault.address & ~(uint64_t)(BLOCK - 1), .len = BLOCK}};
        must(ioctl(handler, UFFDIO_ZEROPAGE, &page) == 0);
    }
    return NULL;
}

static void wait_for_handler(void) {
    enum { PAGES = 20 };
    int handler = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    must(handler >= 0 && ioctl(handler, UFFDIO_API, &api) == 0);
    volatile char *bytes = mmap(NULL, PAGES * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(bytes != MAP_FAILED);
    struct uffdio_register range = {
        .range = {.start = (uintptr_t)bytes, .len = PAGES * BLOCK}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    must(ioctl(handler, UFFDIO_REGISTER, &range) == 0);
    pthread_t thread;
    must(pthread_create(&thread, NULL, handle_faults, &handler) == 0);
    for (long i = 0; i < PAGES; i++)
        (void)bytes[i * BLOCK];
}

static void close_watches(void) {
    for (int i = 0; i < ROUNDS; i++) {
        int watch = inotify_init1(IN_CLOEXEC);
        must(watch >= 0 && inotify_add_watch(watch, "/", IN_CREATE) >= 0);
        must(close(watch) == 0);
    }
}

int main(int argc, char **argv) {
    must(argc >= 2);
    way = argv[1];
    path = argc > 2 ? argv[2] : "";
    if (is("dsync"))
        write_durably(O_DSYNC, 0);
    else if (is("sync"))
        write_durably(O_SYNC, 0);
    else if (is("rwf"))
        write_durably(0, RWF_DSYNC);
    else if (is("dirsync"))
        make_folders();
    else if (is("inotify"))
        close_watches();
    else if (is("clone"))
        clone_files();
    else if (is("pipe") || is("timer"))
        wait_by_ring();
    else if (is("mapped"))
        read_by_mapping();
    else if (is("dirtied"))
        write_by_mapping();
    else if (is("handled"))
        wait_for_handler();
    else if (is("ring"))
        read_by_ring();
    else if (is("fsync") || is("worker"))
        write_by_ring();
    else
        give_up_memory();
    return 0;
}
