/* many_rows THREADS PROCESSES: so many threads one after the other, and then so many processes. Each writes one byte to
 * /dev/null. */
#include "must.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int null;

static void *thread(void *argument) {
    must(write(null, "x", 1) == 1);
    return argument;
}

int main(int argc, char **argv) {
    must(argc == 3);
    null = open("/dev/null", O_WRONLY);
    must(null >= 0);
    for (int i = 0; i < atoi(argv[1]); i++) {
        pthread_t started;
        must(pthread_create(&started, NULL, thread, NULL) == 0 && pthread_join(started, NULL) == 0);
    }
    for (int i = 0; i < atoi(argv[2]); i++) {
        pid_t child = fork();
        must(child >= 0);
        if (child == 0) {
            thread(NULL);
            _exit(0);
        }
        int status;
        must(waitpid(child, &status, 0) == child && status == 0);
    }
    return 0;
}
