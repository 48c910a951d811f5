/* Modes of findings.c that read by io_submit and io_uring; a part of it. */
#pragma once
#include "ring.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>

static void submit_all(int file) {
    enum { DEPTH = 8 };
    aio_context_t context = 0;
    must(syscall(SYS_io_setup, DEPTH, &context) == 0);
    for (long i = 0; i < count; i += DEPTH) {
        struct iocb blocks[DEPTH], *all[DEPTH];
        struct io_event events[DEPTH];
        memset(blocks, 0, sizeof blocks);
        for (long k = 0; k < DEPTH; k++) {
            blocks[k].aio_lio_opcode = IOCB_CMD_PREAD;
            blocks[k].aio_fildes = (uint32_t)file;
            blocks[k].aio_buf = (uintptr_t)(buffer + k * PAGE);
            blocks[k].aio_nbytes = (uint64_t)PAGE;
            blocks[k].aio_offset = far(i + k);
            all[k] = &blocks[k];
        }
        must(syscall(SYS_io_submit, context, DEPTH, all) == DEPTH);
        must(syscall(SYS_io_getevents, context, DEPTH, DEPTH, events, NULL) == DEPTH);
    }
}

static void submit_cold(void) {
    submit_all(cold(O_RDONLY));
}

static void submit_direct(void) {
    submit_all(cold(O_RDONLY | O_DIRECT));
}

/* Nothing is waited for. */
static void submit_cached(void) {
    submit_all(opened(path, O_RDONLY));
}

/* Direct reads, so many under way at once, all submitted at once. */
static void enter_all(long depth) {
    int file = opened(path, O_RDONLY | O_DIRECT);
    open_ring(64);
    for (long i = 0; i < count; i += depth) {
        for (long k = 0; k < depth; k++) {
            struct io_uring_sqe *one = entry(IORING_OP_READ, 0, file, buffer + k * 4 * PAGE, (unsigned)(4 * PAGE));
            one->off = (uint64_t)far((i + k) / 4 * 4);
        }
        submit((unsigned)depth);
        for (long k = 0; k < depth; k++)
            must(reap() > 0);
    }
}

static void enter_once(void) {
    enter_all(16);
}

static void enter_alone(void) {
    enter_all(1);
}

/* So many requests under way at once, and so many for each submission; each completion is waited for by a call of its own, or
 * none is. They complete when all of them have been
 * submitted, by a write that posts the completions before it returns: no device is waited for, which takes as long as it
 * likes. */
static void ring_all(long depth, long each, int is_waited) {
    static uint64_t ones[16];
    int event = eventfd(0, EFD_SEMAPHORE);
    must(event >= 0);
    open_ring(64);
    for (long i = 0; i < count; i += depth) {
        uint64_t all = (uint64_t)depth;
        for (long k = 0; k < depth; k++) {
            entry(IORING_OP_READ, 0, event, &ones[k], sizeof ones[k]);
            if (queued == (unsigned)each)
                submit(0);
        }
        must(write(event, &all, sizeof all) == sizeof all);
        for (long k = 0; k < depth; k++) {
            if (is_waited)
                submit(1);
            must(reap() == sizeof ones[k]);
        }
    }
}

static void ring_each(void) {
    ring_all(16, 1, 0);
}

static void ring_once(void) {
    ring_all(16, 16, 0);
}

static void ring_wait(void) {
    ring_all(16, 16, 1);
}

/* As many calls, but nothing else could be submitted with each. */
static void ring_alone(void) {
    ring_all(1, 1, 0);
}

/* Writes of pages, eight submitted at a time. */
static void ring_write(int how, int flags) {
    enum { DEPTH = 8 };
    int file = opened(path, O_RDWR | how);
    open_ring(64);
    for (long i = 0; i < count; i += DEPTH) {
        for (long k = 0; k < DEPTH; k++)
            entry(IORING_OP_WRITE, flags, file, buffer + k * PAGE, (unsigned)PAGE)->off = (uint64_t)far(i + k);
        submit(DEPTH);
        for (long k = 0; k < DEPTH; k++)
            must(reap() == PAGE);
    }
}

static void ring_write_cached(void) {
    ring_write(0, 0);
}

/* For a worker, although the device goes on by itself. */
static void ring_write_asked(void) {
    ring_write(O_DIRECT, IOSQE_ASYNC);
}
