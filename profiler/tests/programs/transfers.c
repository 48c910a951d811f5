/* Moves known numbers of bytes by calls on sockets, between pipes and files, and by offsets in memory. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, MESSAGES = 4, TURNS = 10 };

static char buffer[16 * PAGE] __attribute__((aligned(4096)));

/* Each message has two segments, of 1,000 and of 500 bytes. */
static struct iovec segments[2] = {{buffer, 1000}, {buffer + 1000, 500}};

static void by_messages(int from, int to) {
    struct msghdr one = {.msg_iov = segments, .msg_iovlen = 2};
    struct mmsghdr several[MESSAGES];
    for (int i = 0; i < TURNS; i++) {
        must(syscall(SYS_sendto, from, buffer, 700L, 0, NULL, 0) == 700);
        must(syscall(SYS_recvfrom, to, buffer, 2000L, 0, NULL, NULL) == 700);
        must(syscall(SYS_sendmsg, from, &one, 0) == 1500);
        must(syscall(SYS_recvmsg, to, &one, 0) == 1500);
        for (int m = 0; m < MESSAGES; m++)
            several[m] = (struct mmsghdr){.msg_hdr = {.msg_iov = segments, .msg_iovlen = 2}};
        must(syscall(SYS_sendmmsg, from, several, MESSAGES, 0) == MESSAGES);
        must(syscall(SYS_recvmmsg, to, several, MESSAGES, 0, NULL) == MESSAGES);
        must(several[MESSAGES - 1].msg_len == 1500);
    }
    must(syscall(SYS_recvfrom, to, buffer, 2000L, MSG_DONTWAIT, NULL, NULL) == -1);
    must(syscall(SYS_recvmmsg, to, several, MESSAGES, MSG_DONTWAIT, NULL) == -1);
    must(syscall(SYS_write, from, buffer, 300L) == 300);
    must(syscall(SYS_read, to, buffer, 300L) == 300);
}

static void between_pipes(void) {
    int first[2], second[2];
    must(pipe(first) == 0 && pipe(second) == 0);
    struct iovec out[2] = {{buffer, 2 * PAGE}, {buffer + 2 * PAGE, PAGE}};
    struct iovec in = {buffer + 8 * PAGE, PAGE};
    for (int i = 0; i < TURNS; i++) {
        must(syscall(SYS_vmsplice, first[1], out, 2L, 0) == 3 * PAGE);
        must(syscall(SYS_tee, first[0], second[1], 16L * PAGE, 0) == 3 * PAGE);
        must(syscall(SYS_vmsplice, second[0], &in, 1L, 0) == PAGE);
        must(syscall(SYS_read, first[0], buffer, 3L * PAGE) == 3 * PAGE);
        must(syscall(SYS_read, second[0], buffer, 2L * PAGE) == 2 * PAGE);
    }
}

/* Each file is read or written from its beginning to its end, and its own offset stays where it is. */
static void at_offsets(const char *path, const char *copies[3]) {
    int from = open(path, O_RDONLY);
    int pipes[2];
    must(from >= 0 && pipe(pipes) == 0);
    for (int way = 0; way < 3; way++) {
        int to = open(copies[way], O_RDWR | O_CREAT | O_TRUNC, 0600);
        must(to >= 0);
        loff_t read = 0, written = 0;
        for (int i = 0; i < TURNS; i++) {
            if (way == 0) {
                must(syscall(SYS_copy_file_range, from, &read, to, &written, 2L * PAGE, 0) == 2 * PAGE);
            } else if (way == 1) {
                must(syscall(SYS_sendfile, to, from, &read, 2L * PAGE) == 2 * PAGE);
            } else {
                must(syscall(SYS_splice, from, &read, pipes[1], NULL, 2L * PAGE, 0) == 2 * PAGE);
                must(syscall(SYS_splice, pipes[0], NULL, to, &written, 2L * PAGE, 0) == 2 * PAGE);
            }
        }
        must(read == TURNS * 2 * PAGE && lseek(from, 0, SEEK_CUR) == 0);
    }
}

/* preadv2 at -1 reads at the file's own offset. */
static void at_own_offset(const char *path) {
    int file = open(path, O_RDONLY);
    struct iovec part = {buffer, PAGE};
    for (int i = 0; i < TURNS; i++)
        must(syscall(SYS_preadv2, file, &part, 1L, -1L, -1L, 0) == PAGE);
}

int main(int argc, char **argv) {
    must(argc == 6);
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    by_messages(ends[0], ends[1]);
    between_pipes();
    at_offsets(argv[1], (const char *[]){argv[2], argv[3], argv[4]});
    at_own_offset(argv[5]);
    return 0;
}
