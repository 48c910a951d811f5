/* direct_io FILE read|write SIZE COUNT [wait]: COUNT transfers of SIZE bytes past the page cache, one after
 * the other from the start of FILE. With `wait` it first reads a byte from its standard input. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    must(argc >= 5);
    int writes = strcmp(argv[2], "write") == 0;
    size_t size = strtoul(argv[3], NULL, 10);
    long count = atol(argv[4]);
    char byte;
    if (argc > 5)
        must(read(STDIN_FILENO, &byte, 1) == 1);
    /* Without O_TRUNC and O_SYNC: nothing but the data is to go to the device. */
    int file = open(argv[1], O_DIRECT | (writes ? O_WRONLY : O_RDONLY));
    must(file >= 0);
    void *buffer = NULL;
    must(posix_memalign(&buffer, 4096, size) == 0);
    memset(buffer, 'x', size);
    for (long i = 0; i < count; i++) {
        off_t offset = (off_t)size * i;
        ssize_t moved = writes ? pwrite(file, buffer, size, offset) : pread(file, buffer, size, offset);
        must(moved == (ssize_t)size);
    }
    return 0;
}
