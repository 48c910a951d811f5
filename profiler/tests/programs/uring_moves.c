/* uring_moves FOLDER [SAME]: bytes moved by io_uring in all ways that this kernel has. Writes to FOLDER/moved for each opcode its
 * name, its requests and the sum of their results, and the completions that were not the last of their request.
 * With SAME, two requests that receive have one number, by which their completions are not told apart. */
#define _GNU_SOURCE
#include "ring.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PAGE = 4096, TURNS = 10, MESSAGE = 1000, BUFFERS = 64, GROUP = 1, SOME = 7 };
/* What headers of older kernels lack. */
enum { READ_MULTISHOT = 49, READV_FIXED = 60, WRITEV_FIXED = 61 };
enum { MULTISHOT = 1 << 1 };

static char data[BUFFERS * PAGE] __attribute__((aligned(PAGE)));
static struct io_uring_buf_ring *buffers;
static const char *folder;
static FILE *moved;
static unsigned long extra;

static int file(const char *name) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int opened = open(path, O_RDWR | O_CREAT, 0600);
    must(opened >= 0);
    return opened;
}

static int has(int opcode) {
    static char room[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)];
    struct io_uring_probe *probe = (struct io_uring_probe *)room;
    memset(room, 0, sizeof(room));
    must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_PROBE, probe, 256) == 0);
    return opcode <= probe->last_op && probe->ops[opcode].flags & IO_URING_OP_SUPPORTED;
}

static void say(const char *name, long requests, long bytes) {
    fprintf(moved, "%s %ld %ld\n", name, requests, bytes);
}

/* Takes completions out until the last of a request; the sum of their results. */
static long reap_all(void) {
    long sum = 0;
    for (;;) {
        if (completed() == 0)
            submit(1);
        unsigned head = *at(params.cq_off.head);
        struct io_uring_cqe *cqes = (struct io_uring_cqe *)(queues + params.cq_off.cqes);
        struct io_uring_cqe cqe = cqes[head & (params.cq_entries - 1)];
        __atomic_store_n(at(params.cq_off.head), head + 1, __ATOMIC_RELEASE);
        if (cqe.flags & IORING_CQE_F_NOTIF) {
            extra++;
            return sum;
        }
        if (cqe.res > 0)
            sum += cqe.res;
        if (!(cqe.flags & IORING_CQE_F_MORE))
            return sum;
        /* The first completion of what is sent without a copy ends the request; its notification follows. */
        if (cqe.user_data == SOME)
            extra++;
    }
}

static void vectors(void) {
    int fd = file("vectored");
    struct iovec whole = {data, sizeof(data)};
    must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &whole, 1) == 0);
    struct iovec two[2] = {{data, PAGE}, {data + 3 * PAGE, PAGE}};
    for (int reads = 0; reads < 2; reads++) {
        int opcode = has(READV_FIXED) ? (reads ? READV_FIXED : WRITEV_FIXED) : reads ? IORING_OP_READV : IORING_OP_WRITEV;
        long sum = 0;
        for (int i = 0; i < TURNS; i++) {
            entry(opcode, 0, fd, two, 2)->off = (uint64_t)i * 2 * PAGE;
            submit(1);
            sum += reap_all();
        }
        must(sum == TURNS * 2 * PAGE);
        const char *names[2][2] = {{"WRITEV", "READV"}, {"WRITEV_FIXED", "READV_FIXED"}};
        say(names[has(READV_FIXED)][reads], TURNS, sum);
    }
}

/* From a file and from one that the ring has, to a pipe, and from there to another. */
static void splices(void) {
    int source = file("source"), held = file("held"), copy = file("copy"), pipes[2][2];
    must(write(source, data, PAGE * TURNS) == PAGE * TURNS && write(held, data, PAGE * TURNS) == PAGE * TURNS);
    must(pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0);
    must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &held, 1) == 0);
    long spliced = 0, teed = 0;
    for (int i = 0; i < TURNS; i++) {
        for (int way = 0; way < 3; way++) {
            struct io_uring_sqe *sqe = entry(IORING_OP_SPLICE, 0, way == 2 ? copy : pipes[0][1], NULL, PAGE);
            sqe->splice_off_in = way == 2 ? (uint64_t)-1 : (uint64_t)i * PAGE;
            sqe->off = way == 2 ? (uint64_t)i * PAGE : (uint64_t)-1;
            sqe->splice_fd_in = way == 0 ? source : way == 1 ? 0 : pipes[0][0];
            sqe->splice_flags = way == 1 ? SPLICE_F_FD_IN_FIXED : 0;
            submit(1);
            spliced += reap_all();
            if (way == 1) {
                sqe = entry(IORING_OP_TEE, 0, pipes[1][1], NULL, PAGE);
                sqe->off = 0;
                sqe->splice_fd_in = pipes[0][0];
                submit(1);
                teed += reap_all();
            }
        }
        must(read(pipes[0][0], data, PAGE) == PAGE && read(pipes[1][0], data, PAGE) == PAGE);
    }
    must(spliced == 3 * TURNS * PAGE && teed == TURNS * PAGE);
    say("SPLICE", 3 * TURNS, spliced);
    say("TEE", TURNS, teed);
}

static void sends(void) {
    int sockets[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    long sums[4] = {0};
    struct iovec vector = {data, MESSAGE};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    for (int i = 0; i < TURNS; i++)
        for (int way = 0; way < 4; way++) {
            const int opcodes[] = {IORING_OP_SEND, IORING_OP_RECV, IORING_OP_SENDMSG, IORING_OP_RECVMSG};
            void *what = way < 2 ? (void *)data : &message;
            entry(opcodes[way], 0, sockets[way % 2], what, way < 2 ? MESSAGE : 1)->off = 0;
            submit(1);
            sums[way] += reap_all();
        }
    const char *names[] = {"SEND", "RECV", "SENDMSG", "RECVMSG"};
    for (int way = 0; way < 4; way++) {
        must(sums[way] == TURNS * MESSAGE);
        if (way != 1)
            say(names[way], TURNS, sums[way]);
    }
}

static void provide(void) {
    buffers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(buffers != MAP_FAILED);
    struct io_uring_buf_reg given = {.ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS, .bgid = GROUP};
    must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_PBUF_RING, &given, 1) == 0);
    struct io_uring_buf *all = (struct io_uring_buf *)buffers;
    for (int i = 0; i < BUFFERS; i++) {
        all[i].addr = (uintptr_t)(data + i * PAGE);
        all[i].len = PAGE;
        all[i].bid = (uint16_t)i;
    }
    __atomic_store_n(&buffers->tail, BUFFERS, __ATOMIC_RELEASE);
}

/* One request that receives all messages, each with a completion of its own. */
static long all_messages(struct io_uring_sqe *sqe, int to) {
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    sqe->user_data = SOME;
    submit(0);
    long sum = 0;
    for (int i = 0; i < TURNS; i++) {
        must(write(to, data, MESSAGE) == MESSAGE);
        submit(1);
        sum += reap();
        extra++;
    }
    must(close(to) == 0);
    sum += reap_all();
    must(sum == TURNS * MESSAGE);
    return sum;
}

static void multishots(void) {
    provide();
    int sockets[2], ends[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 && pipe(ends) == 0);
    struct io_uring_sqe *sqe = entry(IORING_OP_RECV, 0, sockets[0], NULL, 0);
    sqe->off = 0;
    sqe->ioprio = MULTISHOT;
    say("RECV", TURNS + 1, TURNS * MESSAGE + all_messages(sqe, sockets[1]));
    if (!has(READ_MULTISHOT))
        return;
    sqe = entry(READ_MULTISHOT, 0, ends[0], NULL, 0);
    sqe->off = 0;
    say("READ_MULTISHOT", 1, all_messages(sqe, ends[1]));
}

/* Two requests of one number that each post what one socket receives. */
static void same(void) {
    provide();
    int sockets[2][2];
    for (int i = 0; i < 2; i++) {
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i]) == 0);
        struct io_uring_sqe *sqe = entry(IORING_OP_RECV, IOSQE_BUFFER_SELECT, sockets[i][0], NULL, 0);
        sqe->off = 0;
        sqe->ioprio = MULTISHOT;
        sqe->buf_group = GROUP;
        submit(0);
    }
    for (int i = 0; i < 2; i++) {
        must(write(sockets[i][1], data, MESSAGE) == MESSAGE);
        submit(1);
        must(reap() == MESSAGE && close(sockets[i][1]) == 0);
        submit(1);
        must(reap() == 0);
    }
}

/* By TCP: the others copy anyway, or do not take it. In a network of its own, as that of the machine may be down. */
static void without_copies(void) {
    must(unshare(CLONE_NEWNET) == 0);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    must(any >= 0 && ioctl(any, SIOCSIFFLAGS, &loopback) == 0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(own);
    int listens = socket(AF_INET, SOCK_STREAM, 0), sends = socket(AF_INET, SOCK_STREAM, 0);
    must(listens >= 0 && bind(listens, (struct sockaddr *)&own, size) == 0 && listen(listens, 1) == 0);
    must(getsockname(listens, (struct sockaddr *)&own, &size) == 0);
    must(connect(sends, (struct sockaddr *)&own, size) == 0);
    int receives = accept(listens, NULL, NULL);
    must(receives >= 0);
    struct iovec vector = {data, MESSAGE};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    for (int vectored = 0; vectored < 2; vectored++) {
        long sum = 0;
        for (int i = 0; i < TURNS; i++) {
            int opcode = vectored ? IORING_OP_SENDMSG_ZC : IORING_OP_SEND_ZC;
            struct io_uring_sqe *sqe = entry(opcode, 0, sends, vectored ? (void *)&message : data, vectored ? 1 : MESSAGE);
            sqe->off = 0;
            submit(1);
            char in[MESSAGE];
            must(recv(receives, in, MESSAGE, MSG_WAITALL) == MESSAGE);
            sum += reap_all();
        }
        must(sum == TURNS * MESSAGE);
        say(vectored ? "SENDMSG_ZC" : "SEND_ZC", TURNS, sum);
    }
}

int main(int argc, char **argv) {
    must(argc >= 2);
    folder = argv[1];
    open_ring(64);
    if (argc == 3) {
        same();
        return 0;
    }
    char path[512];
    snprintf(path, sizeof(path), "%s/moved", folder);
    moved = fopen(path, "w");
    must(moved != NULL);
    vectors();
    splices();
    sends();
    multishots();
    without_copies();
    fprintf(moved, "extra 0 %lu\n", extra);
    must(fclose(moved) == 0);
    return 0;
}
