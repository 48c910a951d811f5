/* under_way FIRST SECOND: two named pipes. A thread named "reader" reads from FIRST, where nobody writes; the first thread
 * reads a byte from its standard input, and then from SECOND. Both calls wait. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static void *reader(void *pipe) {
    char byte;
    read(*(int *)pipe, &byte, 1);
    _exit(98);
}

int main(int argc, char **argv) {
    must(argc == 3);
    /* For both, so that the calls wait for a writer that does not come. */
    int first = open(argv[1], O_RDWR), second = open(argv[2], O_RDWR);
    must(first == 3 && second == 4);
    pthread_t thread;
    must(pthread_create(&thread, NULL, reader, &first) == 0);
    must(pthread_setname_np(thread, "reader") == 0);
    char byte;
    must(read(STDIN_FILENO, &byte, 1) == 1);
    read(second, &byte, 1);
    return 98;
}
