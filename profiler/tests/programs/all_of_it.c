/* Asks for all that a file may have, as cp(1) does, which is more than it has. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

int main(int argc, char **argv) {
    must(argc == 3);
    int from = open(argv[1], O_RDONLY), to = open(argv[2], O_RDWR);
    must(from >= 0 && to >= 0);
    /* The same three times in a row, and another size each time. */
    for (int i = 0; i < 3; i++) {
        loff_t read = 0, written = 0;
        must(syscall(SYS_copy_file_range, from, &read, to, &written, (size_t)INT64_MAX, 0) == 4 * PAGE);
    }
    for (int i = 0; i < 3; i++) {
        loff_t read = 0;
        must(syscall(SYS_sendfile, to, from, &read, (size_t)INT64_MAX) == 4 * PAGE);
        read = 0;
        must(syscall(SYS_sendfile, to, from, &read, 1L * PAGE) == PAGE);
    }
    return 0;
}
