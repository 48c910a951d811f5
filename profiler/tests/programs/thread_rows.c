/* thread_rows FILE: three threads, "first" to "third", that wait on a pipe. "ready" is written, and a byte on the standard
 * input lets them work: the first reads FILE 10 times 4096 bytes, the second 20 times, the third 30 times; each writes a
 * tenth of the bytes to /dev/null. The first two end then, "done" is written, and the third and the main thread wait until the
 * standard input ends. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 3, SIZE = 4096 };

static int file, null, gate[2], worked[2], last[2];
static const char *names[THREADS] = {"first", "second", "third"};

static void *thread(void *argument) {
    long number = (long)argument;
    char bytes[SIZE];
    must(read(gate[0], bytes, 1) == 1);
    for (int i = 0; i < 10 * (number + 1); i++)
        must(pread(file, bytes, SIZE, 0) == SIZE);
    for (int i = 0; i < number + 1; i++)
        must(write(null, bytes, SIZE) == SIZE);
    if (number == THREADS - 1) {
        must(write(worked[1], bytes, 1) == 1);
        must(read(last[0], bytes, 1) == 0);
    }
    return NULL;
}

int main(int argc, char **argv) {
    must(argc == 2);
    file = open(argv[1], O_RDONLY);
    null = open("/dev/null", O_WRONLY);
    must(file >= 0 && null >= 0 && pipe(gate) == 0 && pipe(worked) == 0 && pipe(last) == 0);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, thread, (void *)i) == 0);
        must(pthread_setname_np(threads[i], names[i]) == 0);
    }
    must(write(STDOUT_FILENO, "ready\n", 6) == 6);
    char byte;
    must(read(STDIN_FILENO, &byte, 1) == 1);
    must(write(gate[1], "xxx", THREADS) == THREADS);
    must(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
    must(read(worked[0], &byte, 1) == 1);
    must(write(STDOUT_FILENO, "done\n", 5) == 5);
    must(read(STDIN_FILENO, &byte, 1) == 0);
    must(close(last[1]) == 0);
    return pthread_join(threads[THREADS - 1], NULL) == 0 ? 0 : 99;
}
