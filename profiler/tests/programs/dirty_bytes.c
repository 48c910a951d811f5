/* dirty_bytes FILE: does what each byte of standard input says, and answers each with a byte on standard output.
 * f fills the first 4 MiB of FILE by one call, s is fsync, t truncates it to nothing, r writes 1 KiB into the middle of
 * every 64 KiB, o writes 256 times to the same 4 KiB, a appends 100 bytes 100 times, w does so by a flag of the call
 * that gives another offset, p has 64 KiB of it sent to another place in it by sendfile, m changes one byte in every
 * eighth page through a shared mapping, d reads 512 KiB of zeroes into one, P has the kernel make as much of one writable and then
 * changes it. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILLED = 4 << 20 };

static char buffer[FILLED];

static void put(int file, size_t size, off_t at) {
    must(pwrite(file, buffer, size, at) == (ssize_t)size);
}

static void append(int file, size_t size) {
    struct iovec vector = {buffer, size};
    must(pwritev2(file, &vector, 1, 0, RWF_APPEND) == (ssize_t)size);
}

static void change(int file) {
    char *bytes = mmap(NULL, FILLED, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(bytes != MAP_FAILED);
    for (off_t at = 0; at < FILLED; at += 8 * 4096)
        bytes[at]++;
    must(munmap(bytes, FILLED) == 0);
}

static void change_half_a_mebibyte(int file, int by_call) {
    size_t size = FILLED / 8;
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(bytes != MAP_FAILED);
    if (by_call) {
        int zeroes = open("/dev/zero", O_RDONLY);
        must(zeroes >= 0 && read(zeroes, bytes, size) == (ssize_t)size && close(zeroes) == 0);
    } else {
        must(madvise(bytes, size, MADV_POPULATE_WRITE) == 0);
        memset(bytes, 'y', size);
    }
    must(munmap(bytes, size) == 0);
}

static void sent(int file, const char *path) {
    int from = open(path, O_RDONLY);
    must(from >= 0);
    must(lseek(file, 1 << 20, SEEK_SET) == 1 << 20);
    for (size_t left = 64 << 10; left > 0;) {
        ssize_t moved = sendfile(file, from, NULL, left);
        must(moved > 0);
        left -= moved;
    }
    must(close(from) == 0);
}

int main(int argc, char **argv) {
    must(argc == 2);
    memset(buffer, 'x', sizeof buffer);
    int file = open(argv[1], O_RDWR | O_CREAT, 0644);
    must(file >= 0);
    char step;
    while (read(STDIN_FILENO, &step, 1) == 1) {
        switch (step) {
        case 'f': put(file, FILLED, 0); break;
        case 's': must(fsync(file) == 0); break;
        case 't': must(ftruncate(file, 0) == 0); break;
        case 'r':
            for (off_t at = 0; at < FILLED; at += 64 << 10)
                put(file, 1 << 10, at + (32 << 10));
            break;
        case 'o':
            for (int i = 0; i < 256; i++)
                put(file, 4 << 10, 8 << 10);
            break;
        case 'a':
            for (int i = 0; i < 100; i++)
                put(file, 100, FILLED + 100 * i);
            break;
        case 'w':
            for (int i = 0; i < 100; i++)
                append(file, 100);
            break;
        case 'p': sent(file, argv[1]); break;
        case 'm': change(file); break;
        case 'd': change_half_a_mebibyte(file, 1); break;
        case 'P': change_half_a_mebibyte(file, 0); break;
        default: must(0);
        }
        must(write(STDOUT_FILENO, &step, 1) == 1);
    }
    return 0;
}
