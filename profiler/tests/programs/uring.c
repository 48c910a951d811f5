/* uring PLAIN|OVERFLOW: a known number of io_uring requests of each way to be executed.
 * uring POLLED: 100 requests, each submitted by a thread of the kernel and waited for by a call that asks to submit one.
 * uring SILENT FILE: 100 times nine writes of 4 KiB at the end of FILE without a completion, and one with it. */
#define _GNU_SOURCE
#include "ring.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

static void nop(int flags) {
    entry(IORING_OP_NOP, flags, -1, NULL, 0)->off = 0;
}

static void plain(void) {
    char out[8] = "1234567", in[8];
    /* Not a pipe: before Linux 6.4 what is read from one when it is ready is read by a worker. */
    int sockets[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);

    /* At once: 10 in one call. */
    for (int i = 0; i < 10; i++)
        nop(0);
    submit(10);
    for (int i = 0; i < 10; i++)
        must(reap() == 0);

    /* By a worker: 3. */
    for (int i = 0; i < 3; i++) {
        nop(IOSQE_ASYNC);
        submit(1);
        must(reap() == 0);
    }

    /* Without a completion: 4, and one that fails and so has one. */
    for (int i = 0; i < 4; i++)
        nop(IOSQE_CQE_SKIP_SUCCESS);
    submit(0);
    entry(IORING_OP_READ, IOSQE_CQE_SKIP_SUCCESS, -1, in, sizeof(in));
    submit(1);
    must(reap() == -EBADF);

    /* One after the other: a write to the socket, and a read from the other. */
    entry(IORING_OP_WRITE, IOSQE_IO_LINK, sockets[1], out, sizeof(out));
    entry(IORING_OP_READ, 0, sockets[0], in, sizeof(in));
    submit(2);
    must(reap() == sizeof(out) && reap() == sizeof(in));

    /* When there is something to be read: 5. */
    for (int i = 0; i < 5; i++) {
        entry(IORING_OP_READ, 0, sockets[0], in, sizeof(in));
        submit(0);
        must(write(sockets[1], out, sizeof(out)) == sizeof(out));
        submit(1);
        must(reap() == sizeof(in));
    }

    /* Cancelled. */
    entry(IORING_OP_READ, 0, sockets[0], in, sizeof(in))->user_data = 7;
    submit(0);
    struct io_uring_sqe *cancel = entry(IORING_OP_ASYNC_CANCEL, 0, -1, (void *)7, 0);
    cancel->off = 0;
    submit(2);
    int first = reap(), second = reap();
    must((first == -ECANCELED && second == 0) || (first == 0 && second == -ECANCELED));

    /* Refused: no request has such a flag. */
    nop(0x80);
    submit(1);
    must(reap() == -EINVAL);

    /* One request with 4 completions: 3 times something to read, and its removal. */
    struct io_uring_sqe *poll = entry(IORING_OP_POLL_ADD, 0, sockets[0], NULL, IORING_POLL_ADD_MULTI);
    poll->off = 0;
    poll->poll32_events = POLLIN;
    poll->user_data = 9;
    submit(0);
    for (int i = 0; i < 3; i++) {
        must(write(sockets[1], out, sizeof(out)) == sizeof(out));
        submit(1);
        must(reap() & POLLIN);
        must(read(sockets[0], in, sizeof(in)) == sizeof(in));
    }
    entry(IORING_OP_POLL_REMOVE, 0, -1, (void *)9, 0)->off = 0;
    submit(2);
    first = reap(), second = reap();
    must((first == -ECANCELED && second == 0) || (first == 0 && second == -ECANCELED));
}

/* 16 completions fit. The kernel keeps 16 more apart, and uses the memory of those requests again. */
static void overflow(void) {
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 16; i++)
            nop(0);
        submit(0);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 16; i++)
            must(reap() == 0);
        submit(round == 0 ? 16 : 0);
    }
    for (int i = 0; i < 16; i++)
        nop(0);
    submit(16);
    for (int i = 0; i < 16; i++)
        must(reap() == 0);
}

static void polled(void) {
    params.flags = IORING_SETUP_SQPOLL;
    open_ring(32);
    for (int i = 0; i < 100; i++) {
        nop(0);
        unsigned how = IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP;
        must(syscall(SYS_io_uring_enter, ring, 1, 1, how, NULL, 0) == 1);
        must(reap() == 0);
    }
}

static void silent(const char *path) {
    static char block[4096];
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(file >= 0);
    open_ring(32);
    for (int i = 0; i < 1000; i++) {
        int is_last = i % 10 == 9;
        int flags = is_last ? 0 : IOSQE_CQE_SKIP_SUCCESS;
        entry(IORING_OP_WRITE, flags, file, block, sizeof block)->off = i * sizeof block;
        submit(is_last);
        if (is_last)
            must(reap() == sizeof block);
    }
}

int main(int argc, char **argv) {
    must(argc >= 2);
    if (strcmp(argv[1], "POLLED") == 0) {
        polled();
        return 0;
    }
    if (strcmp(argv[1], "SILENT") == 0) {
        must(argc == 3);
        silent(argv[2]);
        return 0;
    }
    int overflows = strcmp(argv[1], "OVERFLOW") == 0;
    open_ring(overflows ? 16 : 32);
    if (overflows)
        overflow();
    else
        plain();
    return 0;
}
