/* uring_command FILE: 10 commands to a socket by io_uring, each of which asks for an option of four bytes: the kernel answers with
 * their number, or not at all before Linux 6.7. Writes the answer to FILE. */
#include "ring.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* `SOCKET_URING_OP_GETSOCKOPT`, which headers of older kernels lack, and the names of its fields. */
enum { GETSOCKOPT = 2, TURNS = 10 };

int main(int argc, char **argv) {
    must(argc == 2);
    open_ring(64);
    int option = 0, asked = socket(AF_UNIX, SOCK_STREAM, 0);
    must(asked >= 0);
    int answer = 0;
    for (int i = 0; i < TURNS; i++) {
        struct io_uring_sqe *sqe = entry(IORING_OP_URING_CMD, 0, asked, NULL, 0);
        sqe->off = GETSOCKOPT;
        sqe->addr = SOL_SOCKET | (uint64_t)SO_TYPE << 32;
        sqe->splice_fd_in = sizeof(option);
        sqe->addr3 = (uintptr_t)&option;
        submit(1);
        answer = reap();
        must(answer == -EOPNOTSUPP || (answer == sizeof(option) && option == SOCK_STREAM));
    }
    FILE *said = fopen(argv[1], "w");
    must(said != NULL && fprintf(said, "%d", answer) > 0 && fclose(said) == 0);
    return 0;
}
