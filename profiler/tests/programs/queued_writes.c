/* queued_writes DEVICE: for each byte of standard input, queues a write of the block of 4096 bytes with that number
 * past the page cache, and answers with the byte when it is queued. At the end of its input it waits for all. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCK = 4096, MOST = 256 };

int main(int argc, char **argv) {
    must(argc == 2);
    int device = open(argv[1], O_WRONLY | O_DIRECT);
    must(device >= 0);
    void *buffer = NULL;
    must(posix_memalign(&buffer, BLOCK, BLOCK) == 0);
    memset(buffer, 'x', BLOCK);
    aio_context_t context = 0;
    must(syscall(SYS_io_setup, MOST, &context) == 0);
    static struct iocb blocks[MOST];
    static struct io_event events[MOST];
    long queued = 0;
    unsigned char number;
    while (read(STDIN_FILENO, &number, 1) == 1) {
        must(queued < MOST);
        struct iocb *block = &blocks[queued++];
        block->aio_lio_opcode = IOCB_CMD_PWRITE;
        block->aio_fildes = (uint32_t)device;
        block->aio_buf = (uintptr_t)buffer;
        block->aio_nbytes = BLOCK;
        block->aio_offset = (int64_t)number * BLOCK;
        must(syscall(SYS_io_submit, context, 1L, &block) == 1);
        must(write(STDOUT_FILENO, &number, 1) == 1);
    }
    if (queued > 0)
        must(syscall(SYS_io_getevents, context, queued, queued, events, NULL) == queued);
    for (long i = 0; i < queued; i++)
        must(events[i].res == BLOCK);
    return 0;
}
