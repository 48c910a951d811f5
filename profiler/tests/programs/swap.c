/* swap MIB: fills so many MiB of memory with what is different in each page, has it swapped out, and reads it again, until
 * some of it had to be read from the device. */
#define _GNU_SOURCE
#include "must.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGE = 4096, TRIES = 1000 };

static long major_faults(void) {
    struct rusage usage;
    must(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_majflt;
}

int main(int argc, char **argv) {
    must(argc == 2);
    long bytes = atol(argv[1]) << 20;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED);
    for (long at = 0; at < bytes; at += PAGE)
        memset(memory + at, 1 + at / PAGE % 101, PAGE);
    long before = major_faults();
    /* The first time the pages are written, and are still in memory; once they are, the next time frees them. */
    for (int i = 0; i < TRIES && major_faults() - before < 64; i++) {
        must(madvise(memory, bytes, MADV_PAGEOUT) == 0);
        for (long at = 0; at < bytes; at += PAGE)
            must(memory[at] == 1 + at / PAGE % 101);
    }
    must(major_faults() - before >= 64);
    return 0;
}
