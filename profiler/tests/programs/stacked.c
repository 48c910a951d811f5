/* stacked MERGED LOWER: uses files of an overlayfs and of the file system below, each in one way.
 *   cold      is read to its end
 *   mapped    is mapped, and each of its 16 pages touched
 *   direct    is read by a call past the cache
 *   copied    is read to its end, and opened to be written to, which copies it; one page is written over and synced
 *   new       is made and written to by a call of 512 KiB, and synced; one page is written over twice, and synced each time
 *   touched   is made, and each of 16 pages written to through a mapping, and synced
 *   both      is read to its end from either
 */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, MAPPED = 16 * PAGE, NEW = 512 << 10 };

static char *buffer;

static int opened(const char *folder, const char *name, int flags) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, flags, 0600);
    must(file >= 0);
    return file;
}

static int read_to_end(const char *folder, const char *name, int flags) {
    int file = opened(folder, name, flags);
    ssize_t got;
    while ((got = read(file, buffer, 64 << 10)) > 0)
        ;
    must(got == 0);
    return file;
}

static volatile char *mapped(int file, int protection) {
    char *pages = mmap(NULL, MAPPED, protection, MAP_SHARED, file, 0);
    must(pages != MAP_FAILED && madvise(pages, MAPPED, MADV_RANDOM) == 0);
    return pages;
}

int main(int argc, char **argv) {
    must(argc == 3);
    const char *merged = argv[1], *lower = argv[2];
    must(posix_memalign((void **)&buffer, PAGE, NEW) == 0);

    read_to_end(merged, "cold", O_RDONLY);

    volatile char *pages = mapped(opened(merged, "mapped", O_RDONLY), PROT_READ);
    for (int at = 0; at < MAPPED; at += PAGE)
        must(pages[at] == 1);

    must(read(opened(merged, "direct", O_RDONLY | O_DIRECT), buffer, 64 << 10) == 64 << 10);

    read_to_end(merged, "copied", O_RDONLY);
    int copied = opened(merged, "copied", O_RDWR);
    must(pwrite(copied, buffer, PAGE, 0) == PAGE && fsync(copied) == 0);

    int new = opened(merged, "new", O_RDWR | O_CREAT);
    must(pwrite(new, buffer, NEW, 0) == NEW && fsync(new) == 0);
    for (int i = 0; i < 2; i++)
        must(pwrite(new, buffer, PAGE, 0) == PAGE && fsync(new) == 0);

    int touched = opened(merged, "touched", O_RDWR | O_CREAT);
    must(ftruncate(touched, MAPPED) == 0);
    pages = mapped(touched, PROT_READ | PROT_WRITE);
    for (int at = 0; at < MAPPED; at += PAGE)
        pages[at] = 1;
    must(fsync(touched) == 0);

    read_to_end(lower, "both", O_RDONLY);
    read_to_end(merged, "both", O_RDONLY);
    return 0;
}
