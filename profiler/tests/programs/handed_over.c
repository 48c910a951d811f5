/* handed_over WAY DIR COUNT [keep]: files that one thread opens and others use.
 *
 * COUNT times the first thread opens DIR/file-NNN, has (NNN + 1) * 1000 bytes written to it, closes it, and deletes it
 * unless they are to be kept. Then it waits until the kernel may use the memory again: the next one mostly has the open
 * file and the inode at the same addresses.
 * WAY is who writes:
 *   thread    a second thread, by pwrite
 *   dup       the same, by a descriptor that the first thread has made stand for the file by dup2
 *   sendfile  the same, by sendfile from DIR/source
 *   copy      the same, by copy_file_range from DIR/source
 *   ring      the same thread, by io_uring
 *   fixed     the same, by a file that is registered there
 */
#define _GNU_SOURCE
#include "ring.h"
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>

static char buffer[100 * 1000];
static const char *way;
static sem_t begin, end;
static int file, source;
static size_t size;

static int is(const char *name) {
    return strcmp(way, name) == 0;
}

static void *writer(void *unused) {
    (void)unused;
    for (;;) {
        must(sem_wait(&begin) == 0);
        if (size == 0)
            return NULL;
        ssize_t moved;
        off_t from = 0, to = 0;
        if (is("sendfile"))
            moved = sendfile(file, source, &from, size);
        else if (is("copy"))
            moved = copy_file_range(source, &from, file, &to, size, 0);
        else
            moved = pwrite(file, buffer, size, 0);
        must(moved == (ssize_t)size);
        must(sem_post(&end) == 0);
    }
}

static void write_by_ring(void) {
    struct io_uring_sqe *sqe = entry(IORING_OP_WRITE, 0, file, buffer, (unsigned)size);
    sqe->off = 0;
    if (is("fixed")) {
        struct io_uring_files_update update = {.offset = 0, .fds = (uintptr_t)&file};
        must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES_UPDATE, &update, 1) == 1);
        sqe->fd = 0;
        sqe->flags = IOSQE_FIXED_FILE;
    }
    submit(1);
    must(reap() == (int)size);
    if (is("fixed")) {
        int none = -1;
        struct io_uring_files_update update = {.offset = 0, .fds = (uintptr_t)&none};
        must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES_UPDATE, &update, 1) == 1);
    }
}

/* Waits until memory is free that was given up before: twice, as what is called at the end of a grace period of RCU may
 * still wait for its turn when the first returns. */
static void wait_for_memory(void) {
    for (int i = 0; i < 2; i++)
        must(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0);
}

int main(int argc, char **argv) {
    must(argc >= 4);
    /* Each CPU has free memory of its own. */
    cpu_set_t cpu;
    CPU_ZERO(&cpu);
    CPU_SET(sched_getcpu(), &cpu);
    must(sched_setaffinity(0, sizeof(cpu), &cpu) == 0);
    way = argv[1];
    int by_ring = is("ring") || is("fixed");
    char name[4096];
    snprintf(name, sizeof(name), "%s/source", argv[2]);
    source = open(name, O_RDWR | O_CREAT, 0600);
    must(source >= 0 && write(source, buffer, sizeof(buffer)) == (ssize_t)sizeof(buffer));
    int place = dup(source);
    must(place >= 0 && sem_init(&begin, 0, 0) == 0 && sem_init(&end, 0, 0) == 0);
    pthread_t thread;
    if (by_ring) {
        open_ring(16);
        int none = -1;
        must(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &none, 1) == 0);
    } else {
        must(pthread_create(&thread, NULL, writer, NULL) == 0);
    }
    for (int i = 0; i < atoi(argv[3]); i++) {
        snprintf(name, sizeof(name), "%s/file-%03d", argv[2], i);
        int opened = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        must(opened >= 0);
        file = is("dup") ? dup2(opened, place) : opened;
        size = (size_t)(i + 1) * 1000;
        if (by_ring) {
            write_by_ring();
        } else {
            must(sem_post(&begin) == 0 && sem_wait(&end) == 0);
        }
        must(close(opened) == 0);
        if (is("dup"))
            must(dup2(source, place) == place);
        if (argc == 4)
            must(unlink(name) == 0);
        wait_for_memory();
    }
    if (!by_ring) {
        size = 0;
        must(sem_post(&begin) == 0 && pthread_join(thread, NULL) == 0);
    }
    return 0;
}
