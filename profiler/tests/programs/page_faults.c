/* page_faults FILE WHAT COUNT: COUNT page faults of one kind on the pages of FILE. Says "ready", waits for a
 * byte, takes the faults, says "done", and waits for another. Then prints what getrusage(2) has counted,
 * "minor major minor major": of the faults alone, and from before "ready" to after the last byte.
 *   cold   reads pages that are not in the cache, one after the other, in no order that can be guessed
 *   cached reads pages that are, each so far from the others that no fault maps two
 *   write  writes to pages of a shared mapping that are clean and not mapped
 *   upgrade the same to pages that it has read from after "ready", by as many faults
 *   private writes to pages of a private mapping
 *   call   has read(2) put something into each page of a shared mapping
 *   failing writes to a page that may not be written to, and then by pwrite(2) to a clean page
 *   anonymous touches fresh pages of no file; FILE is not looked at
 */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, WINDOW = 16 };

/* Everything is touched before the first word. */
static struct rusage readings[4];

static void look(int at) {
    must(getrusage(RUSAGE_SELF, &readings[at]) == 0);
}

static void say_and_wait(const char *word) {
    char byte;
    must(write(1, word, strlen(word)) == (ssize_t)strlen(word) && read(0, &byte, 1) == 1);
}

static volatile char sink;
static sigjmp_buf out;

static void leave(int signal) {
    (void)signal;
    siglongjmp(out, 1);
}

/* A fault that ends in a signal. */
static void fail(char *guard) {
    if (sigsetjmp(out, 1) == 0) {
        *(volatile char *)guard = 'x';
        _exit(98);
    }
}

int main(int argc, char **argv) {
    must(argc >= 4);
    const char *what = argv[2];
    long count = atol(argv[3]);
    int file = open(argv[1], O_RDWR), zero = open("/dev/zero", O_RDONLY);
    must(file >= 0 && zero >= 0);
    struct stat stat;
    must(fstat(file, &stat) == 0);
    long pages = stat.st_size / PAGE;
    int anonymous = strcmp(what, "anonymous") == 0, cold = strcmp(what, "cold") == 0;
    int shares = strcmp(what, "private") != 0;
    int calls = strcmp(what, "call") == 0, fails = strcmp(what, "failing") == 0;
    int writes = anonymous || !shares || strcmp(what, "write") == 0 || strcmp(what, "upgrade") == 0;
    /* Apart by more than what the kernel maps around a fault; a cold page has nothing around it. */
    long stride = cold ? 1 : WINDOW;
    must(anonymous || pages >= count * stride);
    /* Clean, so that they can be dropped. */
    must(fsync(file) == 0);
    must(posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM) == 0);
    must(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    char byte;
    /* By small reads: the cache then holds pages, and no larger pieces. */
    for (long i = 0; i < count && !cold && !anonymous; i++)
        must(pread(file, &byte, 1, i * stride * PAGE) == 1);
    char *map;
    if (anonymous) {
        long size = (count + 1) * stride * PAGE;
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(map != MAP_FAILED && madvise(map, size, MADV_NOHUGEPAGE) == 0);
    } else {
        map = mmap(NULL, stat.st_size, PROT_READ | PROT_WRITE, shares ? MAP_SHARED : MAP_PRIVATE, file, 0);
        must(map != MAP_FAILED && madvise(map, stat.st_size, MADV_RANDOM) == 0);
    }
    char *guard = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(guard != MAP_FAILED && signal(SIGSEGV, leave) != SIG_ERR);
    /* The first one takes pages of the stack and of the program. */
    fail(guard);
    memset(readings, 0xff, sizeof readings);
    look(0);
    say_and_wait("ready\n");
    if (strcmp(what, "upgrade") == 0)
        for (long i = 0; i < count; i++)
            sink = map[i * stride * PAGE];
    look(1);
    for (long i = 0; i < count; i++) {
        /* 7919 is a prime: every page once. */
        char *at = map + (cold ? i * 7919 % count : i * stride) * PAGE;
        if (fails) {
            fail(guard);
            must(pwrite(file, "x", 1, i * stride * PAGE) == 1);
        } else if (calls)
            must(read(zero, at, 1) == 1);
        else if (writes)
            *(volatile char *)at = 'x';
        else
            sink = *(volatile char *)at;
    }
    look(2);
    say_and_wait("done\n");
    look(3);
    for (int at = 0; at < 2; at++) {
        struct rusage *from = &readings[1 - at], *to = &readings[2 + at];
        printf("%ld %ld%c", to->ru_minflt - from->ru_minflt, to->ru_majflt - from->ru_majflt, at ? '\n' : ' ');
    }
    return 0;
}
