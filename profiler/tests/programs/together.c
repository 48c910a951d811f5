/* together FILE COUNT: says "ready" and its number, waits for a byte on stdin, has COUNT major faults on the
 * pages of FILE, makes 1000 preads of 512 bytes, 300 pwrites of 1000 bytes and 3 fdatasyncs, says "done", and
 * waits for the end of stdin. Linked statically, so that no loader adds calls of these names. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PREADS = 1000, PWRITES = 300, SYNCS = 3 };

static volatile char sink;

int main(int argc, char **argv) {
    must(argc == 3);
    long count = atol(argv[2]);
    int file = open(argv[1], O_RDWR);
    char byte, block[1000] = {0};
    must(file >= 0 && fsync(file) == 0);
    must(posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM) == 0);
    must(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    /* Else the program's own pages could be faulted in, too, where somebody drops the page cache. */
    must(mlockall(MCL_CURRENT) == 0);
    char *map = NULL;
    if (count > 0) {
        map = mmap(NULL, count * PAGE, PROT_READ, MAP_SHARED, file, 0);
        must(map != MAP_FAILED && madvise(map, count * PAGE, MADV_RANDOM) == 0);
    }
    must(dprintf(1, "ready %d\n", getpid()) > 0);
    must(read(0, &byte, 1) == 1);
    /* 7919 is a prime: every page once. */
    for (long i = 0; i < count; i++)
        sink = map[i * 7919 % count * PAGE];
    for (int i = 0; i < PREADS; i++)
        must(pread(file, block, 512, i % 8 * 512) == 512);
    for (int i = 0; i < PWRITES; i++)
        must(pwrite(file, block, 1000, i * 1000) == 1000);
    for (int i = 0; i < SYNCS; i++)
        must(fdatasync(file) == 0);
    must(write(1, "done\n", 5) == 5);
    while (read(0, &byte, 1) == 1)
        ;
    return 0;
}
