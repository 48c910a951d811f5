/* changed_flags FILE: what is changed about an open file while a thread uses it.
 *
 * The file is read in blocks of 64 KiB at its own offset: 10 through the page cache, 90 past it, after O_DIRECT was set
 * by fcntl; 70 through the cache again, after a child that shares the open file has cleared it; and 30 past it.
 *
 * Then a thread reads from a pipe, and has to wait. Meanwhile its descriptor is made to stand for the file. It gets 1000
 * bytes, from the pipe.
 */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK (64 * 1024)

static int ends[2];
static char taken[1000];
static volatile pid_t reader_id;

static void read_blocks(int file, char *buffer, int count) {
    for (int i = 0; i < count; i++)
        must(read(file, buffer, BLOCK) == BLOCK);
}

static void *reader(void *unused) {
    (void)unused;
    __atomic_store_n(&reader_id, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    must(read(ends[0], taken, sizeof(taken)) == (ssize_t)sizeof(taken));
    return NULL;
}

/* Whether the reader is in its call: /proc/self/task/TID/syscall begins with the number of the call it waits in. */
static int is_waiting(void) {
    char name[64], text[64];
    pid_t id = __atomic_load_n(&reader_id, __ATOMIC_ACQUIRE);
    if (id == 0)
        return 0;
    snprintf(name, sizeof(name), "/proc/self/task/%d/syscall", (int)id);
    int file = open(name, O_RDONLY);
    must(file >= 0);
    ssize_t length = read(file, text, sizeof(text) - 1);
    must(length > 0 && close(file) == 0);
    text[length] = 0;
    char *rest = NULL;
    return strtol(text, &rest, 10) == SYS_read && rest != text;
}

int main(int argc, char **argv) {
    must(argc == 2);
    void *buffer = NULL;
    must(posix_memalign(&buffer, 4096, BLOCK) == 0);
    int file = open(argv[1], O_RDONLY);
    must(file >= 0);
    int flags = fcntl(file, F_GETFL);
    read_blocks(file, buffer, 10);
    must(fcntl(file, F_SETFL, flags | O_DIRECT) == 0);
    read_blocks(file, buffer, 90);
    pid_t child = fork();
    if (child == 0)
        _exit(fcntl(file, F_SETFL, flags) == 0 ? 0 : 99);
    int status;
    must(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    read_blocks(file, buffer, 70);
    must(fcntl(file, F_SETFL, flags | O_DIRECT) == 0);
    read_blocks(file, buffer, 30);

    pthread_t thread;
    must(pipe(ends) == 0 && pthread_create(&thread, NULL, reader, NULL) == 0);
    while (!is_waiting())
        sched_yield();
    must(dup2(file, ends[0]) == ends[0] && write(ends[1], taken, sizeof(taken)) == (ssize_t)sizeof(taken));
    must(pthread_join(thread, NULL) == 0);
    return 0;
}
