/* flushes FILE THREADS COUNT: each of so many threads opens FILE and has fsync called on it so often. */
#include "must.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static const char *path;
static long count;

static void *sync_often(void *unused) {
    int file = open(path, O_RDONLY);
    must(file >= 0);
    for (long i = 0; i < count; i++)
        must(fsync(file) == 0);
    must(close(file) == 0);
    return unused;
}

int main(int argc, char **argv) {
    must(argc == 4);
    path = argv[1];
    long threads = atol(argv[2]);
    count = atol(argv[3]);
    pthread_t *all = calloc(threads, sizeof *all);
    must(all != NULL);
    for (long i = 0; i < threads; i++)
        must(pthread_create(&all[i], NULL, sync_often, NULL) == 0);
    for (long i = 0; i < threads; i++)
        must(pthread_join(all[i], NULL) == 0);
    return 0;
}
