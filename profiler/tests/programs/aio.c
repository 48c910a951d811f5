/* aio FILE: a known number of asynchronous operations. */
#define _GNU_SOURCE
#include "must.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The ring that the kernel shares with the program, at the address that stands for its context: `struct
 * aio_ring` of fs/aio.c. */
struct ring {
    unsigned id, entries, head, tail, magic, compat, incompat, length;
    struct io_event events[];
};

static char buffer[4096];
static aio_context_t context;
static struct io_event events[16];

static void prepare(struct iocb *block, int opcode, int file, int at) {
    memset(block, 0, sizeof(*block));
    block->aio_lio_opcode = (uint16_t)opcode;
    block->aio_fildes = (uint32_t)file;
    if (opcode == IOCB_CMD_PREAD || opcode == IOCB_CMD_PWRITE) {
        block->aio_buf = (uintptr_t)buffer;
        block->aio_nbytes = sizeof(buffer);
        block->aio_offset = at * (long)sizeof(buffer);
    }
}

static void submit(struct iocb **blocks, long count) {
    must(syscall(SYS_io_submit, context, count, blocks) == count);
}

static void reap(long count) {
    must(syscall(SYS_io_getevents, context, count, 16L, events, NULL) == count);
}

int main(int argc, char **argv) {
    must(argc == 2);
    int file = open(argv[1], O_RDWR | O_CREAT, 0600);
    int empty[2];
    must(file >= 0 && pipe2(empty, O_NONBLOCK) == 0);
    must(syscall(SYS_io_setup, 32, &context) == 0);
    struct iocb blocks[8];
    struct iocb *all[8];
    for (int i = 0; i < 8; i++)
        all[i] = &blocks[i];

    /* 8 writes in one call, then 3 reads and an fsync. */
    for (int i = 0; i < 8; i++)
        prepare(all[i], IOCB_CMD_PWRITE, file, i);
    submit(all, 8);
    reap(8);
    for (int i = 0; i < 3; i++)
        prepare(all[i], IOCB_CMD_PREAD, file, i);
    prepare(all[3], IOCB_CMD_FSYNC, file, 0);
    submit(all, 4);
    reap(4);

    /* One that fails. */
    prepare(all[0], IOCB_CMD_PREAD, empty[0], 0);
    submit(all, 1);
    reap(1);
    must(events[0].res == -EAGAIN);

    /* 4 writes whose events are taken out of the ring without a call; their blocks are used again. */
    for (int i = 0; i < 4; i++)
        prepare(all[i], IOCB_CMD_PWRITE, file, i);
    submit(all, 4);
    struct ring *ring = (struct ring *)context;
    must(ring->magic == 0xa10a10a1);
    for (int i = 0; i < 4; i++) {
        while (ring->head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE))
            ;
        __atomic_store_n(&ring->head, (ring->head + 1) % ring->entries, __ATOMIC_RELEASE);
    }
    submit(all, 4);
    reap(4);
    return 0;
}
