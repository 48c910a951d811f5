/* reads_beside nowait FILE COUNT: reads pages of FILE in no order, each first by a call that does not wait, and where that finds nothing
 *     by one that does.
 * reads_beside into FILE OTHER: reads FILE, page by page, into a private mapping of OTHER, which is as large. */
#define _GNU_SOURCE
#include "must.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096 };

static void without_waiting(int file, long count) {
    static char buffer[PAGE];
    struct iovec vector = {buffer, PAGE};
    for (long i = 0; i < count; i++) {
        off_t at = (i * 7 + 3) % count * PAGE;
        ssize_t got = preadv2(file, &vector, 1, at, RWF_NOWAIT);
        must(got == PAGE || (got == -1 && errno == EAGAIN));
        must(got == PAGE || pread(file, buffer, PAGE, at) == PAGE);
    }
}

static void into_mapping(int file, const char *name) {
    struct stat about;
    must(fstat(file, &about) == 0);
    int other = open(name, O_RDONLY);
    must(other >= 0);
    char *to = mmap(NULL, about.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, other, 0);
    must(to != MAP_FAILED && madvise(to, about.st_size, MADV_RANDOM) == 0);
    for (off_t at = 0; at < about.st_size; at += PAGE)
        must(pread(file, to + at, PAGE, at) == PAGE);
}

int main(int argc, char **argv) {
    must(argc == 4);
    int file = open(argv[2], O_RDONLY);
    must(file >= 0);
    if (strcmp(argv[1], "nowait") == 0) {
        must(posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM) == 0);
        without_waiting(file, atol(argv[3]));
    } else {
        into_mapping(file, argv[3]);
    }
    return 0;
}
