/* Makes a known number of calls in eight threads and four children, one of which executes this program
 * again. Linked statically, so that no loader adds calls of these names. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, CHILDREN = 4, SEGMENTS = 5 };

static const char *path;

static int opened(const char *name) {
    return (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR, 0);
}

/* preads of 4096 bytes, opens of which some fail, and readvs that ask for 1+2+3+4+5 KiB. */
static void work(int preads, int opens, int failing, int readvs, int fsyncs) {
    static __thread char page[4096], vector[SEGMENTS][5 * 1024];
    int file = opened(path);
    must(file >= 0);
    for (int i = 0; i < preads; i++)
        must(syscall(SYS_pread64, file, page, sizeof page, (long)(i % 16) * 4096) == sizeof page);
    for (int i = 0; i < readvs; i++) {
        struct iovec segments[SEGMENTS];
        for (int s = 0; s < SEGMENTS; s++)
            segments[s] = (struct iovec){vector[s], (size_t)(s + 1) * 1024};
        must(syscall(SYS_lseek, file, 0L, SEEK_SET) == 0);
        must(syscall(SYS_readv, file, segments, SEGMENTS) == 15 * 1024);
    }
    /* The first one is open already. */
    for (int i = 1; i < opens - failing; i++) {
        int other = opened(path);
        must(other >= 0);
        must(syscall(SYS_close, other) == 0);
    }
    for (int i = 0; i < failing; i++)
        must(opened("/nonexistent/file") < 0);
    for (int i = 0; i < fsyncs; i++)
        must(syscall(SYS_fsync, file) == 0);
    must(syscall(SYS_close, file) == 0);
}

static void *thread(void *unused) {
    (void)unused;
    work(1000, 50, 10, 25, 0);
    return NULL;
}

/* The children share 50 readvs and 3 fsyncs. */
static void child(int number) {
    work(500, 25, 5, number < 2 ? 12 : 13, number > 0);
}

int main(int argc, char **argv) {
    must(argc >= 2);
    path = argv[1];
    if (argc == 3) {
        child(atoi(argv[2]));
        return 0;
    }
    pthread_t threads[THREADS];
    pid_t children[CHILDREN];
    for (int i = 0; i < THREADS; i++)
        must(pthread_create(&threads[i], NULL, thread, NULL) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        must(children[i] >= 0);
        if (children[i] == 0) {
            if (i == 0) {
                execl("/proc/self/exe", "known_calls", path, "0", (char *)NULL);
                _exit(98);
            }
            child(i);
            _exit(0);
        }
    }
    for (int i = 0; i < THREADS; i++)
        must(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        must(waitpid(children[i], &status, 0) == children[i] && status == 0);
    }
    return 0;
}
