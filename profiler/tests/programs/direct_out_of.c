/* direct_out_of IN OUT mapped|spliced: writes what is in IN, of which nothing is in the page cache, to OUT past the page
 * cache, 64 KiB at a time: out of a mapping of IN, or by a pipe that holds its pages. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

static void write_mapped(int in, int out, off_t size) {
    char *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, in, 0);
    must(bytes != MAP_FAILED);
    for (off_t at = 0; at < size; at += PIECE)
        must(pwrite(out, bytes + at, PIECE, at) == PIECE);
}

static void splice_through(int in, int out, off_t size) {
    int ends[2];
    must(pipe(ends) == 0);
    for (off_t left = size; left > 0;) {
        ssize_t taken = splice(in, NULL, ends[1], NULL, PIECE, 0);
        must(taken > 0);
        must(splice(ends[0], NULL, out, NULL, taken, 0) == taken);
        left -= taken;
    }
}

int main(int argc, char **argv) {
    must(argc == 4);
    int in = open(argv[1], O_RDONLY);
    int out = open(argv[2], O_WRONLY | O_DIRECT);
    struct stat status;
    must(in >= 0 && out >= 0 && fstat(in, &status) == 0);
    must(posix_fadvise(in, 0, 0, POSIX_FADV_DONTNEED) == 0);
    if (strcmp(argv[3], "mapped") == 0)
        write_mapped(in, out, status.st_size);
    else
        splice_through(in, out, status.st_size);
    return 0;
}
