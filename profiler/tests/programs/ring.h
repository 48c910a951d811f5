/* A ring of io_uring for each thread that opens one, by its system calls alone. */
#pragma once
#include "must.h"
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local int ring;
static _Thread_local struct io_uring_params params;
static _Thread_local char *queues;
static _Thread_local struct io_uring_sqe *entries;
static _Thread_local unsigned queued;

static inline unsigned *at(unsigned offset) {
    return (unsigned *)(queues + offset);
}

static inline void open_ring(unsigned completions) {
    params.flags |= IORING_SETUP_CQSIZE;
    params.cq_entries = completions;
    ring = (int)syscall(SYS_io_uring_setup, 16, &params);
    must(ring >= 0 && params.features & IORING_FEAT_SINGLE_MMAP);
    size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    size_t array = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size = size > array ? size : array;
    int access = PROT_READ | PROT_WRITE;
    queues = mmap(NULL, size, access, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    entries = mmap(NULL, params.sq_entries * sizeof(*entries), access, MAP_SHARED, ring, IORING_OFF_SQES);
    must(queues != MAP_FAILED && entries != MAP_FAILED);
}

/* The next entry of the submission queue, filled as far as is given. */
static inline struct io_uring_sqe *entry(int opcode, int flags, int file, void *buffer, unsigned length) {
    unsigned tail = *at(params.sq_off.tail);
    unsigned index = tail & (params.sq_entries - 1);
    struct io_uring_sqe *sqe = &entries[index];
    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = (uint8_t)opcode;
    sqe->flags = (uint8_t)flags;
    sqe->fd = file;
    sqe->addr = (uintptr_t)buffer;
    sqe->len = length;
    sqe->off = (uint64_t)-1;
    at(params.sq_off.array)[index] = index;
    __atomic_store_n(at(params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    queued++;
    return sqe;
}

/* Submits what is queued and waits for so many completions. */
static inline void submit(unsigned wait) {
    long done = syscall(SYS_io_uring_enter, ring, queued, wait, IORING_ENTER_GETEVENTS, NULL, 0);
    must(done == (long)queued);
    queued = 0;
}

/* How many completions there are to be taken out. */
static inline unsigned completed(void) {
    return __atomic_load_n(at(params.cq_off.tail), __ATOMIC_ACQUIRE) - *at(params.cq_off.head);
}

/* Takes a completion out. */
static inline int reap(void) {
    must(completed() != 0);
    unsigned head = *at(params.cq_off.head);
    struct io_uring_cqe *cqes = (struct io_uring_cqe *)(queues + params.cq_off.cqes);
    int result = cqes[head & (params.cq_entries - 1)].res;
    __atomic_store_n(at(params.cq_off.head), head + 1, __ATOMIC_RELEASE);
    return result;
}
