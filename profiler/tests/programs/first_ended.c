/* first_ended: its first thread ends, and a second goes on: for each byte of standard input it makes ten calls of pwrite(2),
 * which a pipe refuses, and answers with the byte on standard output. It ends with its input. */
#define _GNU_SOURCE
#include "must.h"
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *thread(void *argument) {
    must(pthread_join(*(pthread_t *)argument, NULL) == 0);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        for (int i = 0; i < 10; i++)
            must(pwrite(STDIN_FILENO, &byte, 1, 0) < 0);
        must(write(STDOUT_FILENO, &byte, 1) == 1);
    }
    _exit(0);
}

int main(void) {
    static pthread_t first, second;
    first = pthread_self();
    must(pthread_create(&second, NULL, thread, &first) == 0);
    pthread_exit(NULL);
}
