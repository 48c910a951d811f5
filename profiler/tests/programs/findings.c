/* findings MODE FILE COUNT: a fault that a rule finds, its cure, or what looks like it and is neither. COUNT bytes are
 * moved, or COUNT records are made durable. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char buffer[1 << 16];
static const size_t RECORD = 100, PAGE = 4096;

static int create(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    must(file >= 0);
    return file;
}

static void put(int file, size_t size) {
    must(write(file, buffer, size) == (ssize_t)size);
}

int main(int argc, char **argv) {
    must(argc == 4);
    const char *mode = argv[1], *path = argv[2];
    long count = atol(argv[3]);
    if (strcmp(mode, "sync-each") == 0) {
        int file = create(path);
        for (long i = 0; i < count; i++) {
            put(file, PAGE);
            must(fdatasync(file) == 0);
        }
    } else if (strcmp(mode, "sync-once") == 0) {
        int file = create(path);
        for (long i = 0; i < count; i++)
            put(file, PAGE);
        must(fdatasync(file) == 0);
    } else if (strcmp(mode, "sync-files") == 0) {
        /* Each file is complete with its own call: there is nothing to group. */
        for (long i = 0; i < count; i++) {
            char name[4096];
            must(snprintf(name, sizeof name, "%s.%ld", path, i) < (int)sizeof name);
            int file = create(name);
            put(file, PAGE);
            must(fsync(file) == 0);
            must(close(file) == 0);
        }
    } else if (strcmp(mode, "write-by") == 0 || strcmp(mode, "write-at-once") == 0) {
        size_t size = strcmp(mode, "write-by") == 0 ? RECORD : sizeof buffer;
        int file = create(path);
        for (long i = 0; i < count; i += (long)size)
            put(file, size);
    } else if (strcmp(mode, "write-durable") == 0) {
        /* As small and as sequential, but each is waited for: a buffer would break what is promised. */
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DSYNC, 0600);
        must(file >= 0);
        for (long i = 0; i < count; i++)
            put(file, RECORD);
    } else if (strncmp(mode, "poll-", 5) == 0) {
        int ends[2];
        must(pipe2(ends, O_NONBLOCK) == 0);
        for (long i = 0; i < count; i++) {
            struct pollfd ready = {.fd = ends[0], .events = POLLIN};
            /* The cure asks once, and is told that there is nothing. To drain finds the end once for each byte. */
            if (strcmp(mode, "poll-wait") == 0)
                must(poll(&ready, 1, 0) == 0);
            else if (strcmp(mode, "poll-drain") == 0)
                must(write(ends[1], buffer, 1) == 1 && read(ends[0], buffer, 1) == 1 && read(ends[0], buffer, 1) < 0);
            else
                must(read(ends[0], buffer, 1) < 0);
        }
    } else if (strncmp(mode, "map-", 4) == 0) {
        int file = open(path, O_RDONLY);
        must(file >= 0 && fsync(file) == 0);
        must(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
        volatile char *mapped = mmap(NULL, (size_t)count, PROT_READ, MAP_SHARED, file, 0);
        must(mapped != MAP_FAILED);
        int advice = strcmp(mode, "map-apart") == 0   ? MADV_RANDOM
                     : strcmp(mode, "map-ahead") == 0 ? MADV_SEQUENTIAL
                                                      : MADV_NORMAL;
        must(madvise((void *)mapped, (size_t)count, advice) == 0);
        /* Backwards and far apart nothing is read ahead, but much around each page. */
        long step = advice == MADV_NORMAL ? 256 << 10 : 4096;
        for (long i = count - step; i >= 0; i -= step)
            (void)mapped[advice == MADV_NORMAL ? i : count - step - i];
    } else {
        size_t size = strcmp(mode, "read-at-once") == 0 ? sizeof buffer : strcmp(mode, "read-by") == 0 ? RECORD : 1;
        int file = open(path, O_RDONLY);
        must(file >= 0);
        if (strcmp(mode, "read-bytes-apart") == 0) {
            for (long i = 0; i < count; i++)
                must(pread(file, buffer, 1, i * 7919 % (1 << 20)) == 1);
        } else {
            for (long i = 0; i < count; i += (long)size)
                must(read(file, buffer, size) > 0);
        }
    }
    return 0;
}
