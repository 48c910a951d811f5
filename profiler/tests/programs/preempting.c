/* preempting FILE: on one CPU, a thread reads the file over and over, and one of a real-time priority preempts it, reads a
 * few times itself, and sleeps. Prints how many reads both have made. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "must.h"

enum { TURNS = 400, READS = 5, SLEEP_NS = 500000 };

static int file;
static atomic_int is_over;

static void read_once(void) {
    char byte;
    must(pread(file, &byte, 1, 0) == 1);
}

static void *preempt(void *unused) {
    for (int turn = 0; turn < TURNS; turn++) {
        /* Each time a little later: the other thread is not always found at the same place. */
        struct timespec time = { .tv_nsec = SLEEP_NS + turn * 97 };
        must(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == 0);
        for (int reads = 0; reads < READS; reads++)
            read_once();
    }
    atomic_store(&is_over, 1);
    return unused;
}

int main(int argc, char **argv) {
    must(argc == 2);
    file = open(argv[1], O_RDONLY);
    must(file >= 0);
    cpu_set_t all, one;
    must(sched_getaffinity(0, sizeof all, &all) == 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    must(sched_setaffinity(0, sizeof one, &one) == 0);
    pthread_attr_t attributes;
    struct sched_param priority = { .sched_priority = 1 };
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &priority);
    pthread_t thread;
    must(pthread_create(&thread, &attributes, preempt, NULL) == 0);
    long reads = 0;
    for (; !atomic_load(&is_over); reads++)
        read_once();
    pthread_join(thread, NULL);
    printf("%ld\n", reads + TURNS * READS);
    return 0;
}
