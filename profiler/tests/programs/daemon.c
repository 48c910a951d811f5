/* daemon DEVICE MILLISECONDS: its first process ends, and another goes on for so long after that: it reads 8 blocks of 4096
 * bytes at a time past the page cache. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, AT_ONCE = 8, APART = 65536 };

static long milliseconds(void) {
    struct timespec now;
    must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void read_until(const char *path, long end) {
    int device = open(path, O_RDONLY | O_DIRECT);
    must(device >= 0);
    void *buffer = NULL;
    must(posix_memalign(&buffer, BLOCK, BLOCK) == 0);
    aio_context_t context = 0;
    must(syscall(SYS_io_setup, AT_ONCE, &context) == 0);
    struct iocb blocks[AT_ONCE], *all[AT_ONCE];
    struct io_event events[AT_ONCE];
    memset(blocks, 0, sizeof(blocks));
    for (int i = 0; i < AT_ONCE; i++) {
        blocks[i].aio_lio_opcode = IOCB_CMD_PREAD;
        blocks[i].aio_fildes = (uint32_t)device;
        blocks[i].aio_buf = (uintptr_t)buffer;
        blocks[i].aio_nbytes = BLOCK;
        blocks[i].aio_offset = (int64_t)i * APART;
        all[i] = &blocks[i];
    }
    do {
        long count = AT_ONCE;
        must(syscall(SYS_io_submit, context, count, all) == count);
        must(syscall(SYS_io_getevents, context, count, count, events, NULL) == count);
        for (int i = 0; i < AT_ONCE; i++)
            must(events[i].res == BLOCK);
    } while (milliseconds() <= end);
}

int main(int argc, char **argv) {
    must(argc == 3);
    int alive[2];
    must(pipe(alive) == 0);
    pid_t other = fork();
    must(other >= 0);
    if (other > 0)
        _exit(0);
    must(setsid() >= 0);
    char byte;
    must(close(alive[1]) == 0);
    must(read(alive[0], &byte, 1) == 0);
    read_until(argv[1], milliseconds() + atol(argv[2]));
    return 0;
}
