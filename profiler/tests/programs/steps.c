/* steps FILE SIZE: does what each byte of standard input says, and answers each with a byte on standard output.
 * w writes SIZE bytes at the end of FILE, s is fsync, q has what is written queued for the device without waiting for it,
 * t truncates it to nothing, m changes one byte in each of its pages through a shared mapping. It ends at the end of its
 * input. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void change(int file) {
    struct stat status;
    must(fstat(file, &status) == 0);
    char *bytes = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(bytes != MAP_FAILED);
    for (off_t at = 0; at < status.st_size; at += 4096)
        bytes[at]++;
    must(munmap(bytes, status.st_size) == 0);
}

int main(int argc, char **argv) {
    must(argc == 3);
    size_t size = strtoul(argv[2], NULL, 10);
    int file = open(argv[1], O_RDWR | O_CREAT | O_APPEND, 0644);
    must(file >= 0);
    char *buffer = malloc(size);
    must(buffer != NULL);
    memset(buffer, 'x', size);
    char step;
    while (read(STDIN_FILENO, &step, 1) == 1) {
        switch (step) {
        case 'w': must(write(file, buffer, size) == (ssize_t)size); break;
        case 's': must(fsync(file) == 0); break;
        case 'q': must(sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE) == 0); break;
        case 't': must(ftruncate(file, 0) == 0); break;
        case 'm': change(file); break;
        default: must(0);
        }
        must(write(STDOUT_FILENO, &step, 1) == 1);
    }
    return 0;
}
