/* tree FILE MOST: a process with others below it. It has a child, which has a thread and two children; it writes the
 * child's number when all are there. The child makes another every two milliseconds, MOST at the most, until it is sent a
 * byte; it writes how many processes there are with the first. After a second byte each thread of each process reads ten
 * bytes of FILE one by one, and all but the first end; it writes "done" and ends with its input. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int file;
static int most;
/* Readable at its end, when the first process has closed it. */
static int begin[2];
static int ready[2];

static void read_ten(void) {
    char byte;
    for (int i = 0; i < 10; i++)
        must(syscall(SYS_pread64, file, &byte, 1L, 0L) == 1);
}

static void wait_to_begin(void) {
    char byte;
    must(read(begin[0], &byte, 1) == 0);
}

static void say_ready(void) {
    must(write(ready[1], "x", 1) == 1);
}

static void *thread(void *unused) {
    say_ready();
    wait_to_begin();
    read_ten();
    return unused;
}

static void end_children(int children) {
    for (int i = 0; i < children; i++) {
        int status;
        must(wait(&status) > 0 && status == 0);
    }
}

/* A child that does as all do. Not one that outlives the first. */
static pid_t make(void (*first)(void)) {
    pid_t child = fork();
    must(child >= 0);
    if (child != 0)
        return child;
    must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    close(begin[1]);
    if (first != NULL)
        first();
    wait_to_begin();
    read_ten();
    _exit(0);
}

static int is_told(int milliseconds) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    must(poll(&input, 1, milliseconds) >= 0);
    return input.revents != 0;
}

static void has_family(void) {
    pthread_t other;
    must(pthread_create(&other, NULL, thread, NULL) == 0);
    make(say_ready);
    make(say_ready);
    int made = 0;
    while (!is_told(made < most ? 2 : -1))
        if (made < most) {
            make(NULL);
            made++;
        }
    char byte;
    must(read(STDIN_FILENO, &byte, 1) == 1);
    printf("%d\n", made + 4);
    fflush(stdout);
    say_ready();
    wait_to_begin();
    end_children(made + 2);
    must(pthread_join(other, NULL) == 0);
}

int main(int argc, char **argv) {
    must(argc == 3);
    file = open(argv[1], O_RDONLY | O_CLOEXEC);
    must(file >= 0 && pipe(begin) == 0 && pipe(ready) == 0);
    most = atoi(argv[2]);
    pid_t child = make(has_family);
    char byte;
    for (int i = 0; i < 3; i++)
        must(read(ready[0], &byte, 1) == 1);
    printf("%d\n", child);
    fflush(stdout);
    must(read(ready[0], &byte, 1) == 1);
    must(read(STDIN_FILENO, &byte, 1) == 1);
    close(begin[1]);
    read_ten();
    end_children(1);
    printf("done\n");
    fflush(stdout);
    must(read(STDIN_FILENO, &byte, 1) == 0);
    return 0;
}
