/* findings MODE FILE COUNT [prepare]: a fault that a rule finds, its cure, or what looks like it and is neither. COUNT
 * bytes are moved, or COUNT records, calls or files are made; findings.pairs has the modes of each rule. What a mode needs
 * of FILE before is written by `prepare`. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is read: long enough for some hundred waits where it is read ahead. */
static const long FILE_SIZE = 40 << 20;
static const long RECORD = 100, PAGE = 4096;
static char buffer[1 << 20] __attribute__((aligned(4096)));
static const long LARGE = 1 << 16;
static const char *path;
static long count;

static int opened(const char *name, int flags) {
    int file = open(name, flags, 0600);
    must(file >= 0);
    return file;
}

static int created(void) {
    return opened(path, O_RDWR | O_CREAT | O_TRUNC);
}

static void put(int file, long size) {
    must(write(file, buffer, (size_t)size) == size);
}

/* A name beside the file's. */
static const char *numbered(long number) {
    static char name[4096];
    must(snprintf(name, sizeof name, "%s.%ld", path, number) < (int)sizeof name);
    return name;
}

/* The offset of a page, far from the one before. */
static off_t far(long number) {
    return number * 7919 % (FILE_SIZE / PAGE) * PAGE;
}

#include "findings_folder.h"
#include "findings_write.h"

static void read_all(long size) {
    int file = opened(path, O_RDONLY);
    for (long i = 0; i < count; i += size)
        must(read(file, buffer, (size_t)size) > 0);
}

static void read_bytes(void) {
    read_all(1);
}

static void write_and_read(void) {
    write_by();
    read_bytes();
}

static void read_at_once(void) {
    read_all(LARGE);
}

static void read_bytes_apart(void) {
    int file = opened(path, O_RDONLY);
    for (long i = 0; i < count; i++)
        must(pread(file, buffer, 1, i * 7919 % (1 << 20)) == 1);
}

static void seek_each(void) {
    int file = opened(path, O_RDONLY);
    for (long i = 0; i < count; i++)
        must(lseek(file, far(i), SEEK_SET) == far(i) && read(file, buffer, (size_t)PAGE) == PAGE);
}

static void seek_never(void) {
    int file = opened(path, O_RDONLY);
    for (long i = 0; i < count; i++)
        must(pread(file, buffer, (size_t)PAGE, far(i)) == PAGE);
}

/* Once for several reads that go on from there. */
static void seek_seldom(void) {
    int file = opened(path, O_RDONLY);
    for (long i = 0; i < count; i++) {
        if (i % 4 == 0)
            must(lseek(file, far(i), SEEK_SET) == far(i));
        must(read(file, buffer, (size_t)PAGE) >= 0);
    }
}

/* The C library may ask by another call. */
static void ask_size(int file) {
    struct stat found;
    must(syscall(SYS_fstat, file, &found) == 0);
}

static void stat_each(void) {
    int file = opened(path, O_RDONLY);
    for (long i = 0; i < count; i++) {
        ask_size(file);
        must(pread(file, buffer, (size_t)PAGE, far(i)) == PAGE);
    }
}

/* Once for each file. */
static void stat_opened(void) {
    for (long i = 0; i < count; i++) {
        int file = opened(numbered(i), O_RDWR | O_CREAT);
        ask_size(file);
        must(read(file, buffer, (size_t)PAGE) == 0 && close(file) == 0);
    }
}

static void open_each(void) {
    for (long i = 0; i < count; i++) {
        int file = opened(path, O_RDONLY);
        must(pread(file, buffer, (size_t)PAGE, far(i)) == PAGE && close(file) == 0);
    }
}

static void open_files(void) {
    for (long i = 0; i < count; i++) {
        int file = opened(numbered(i), O_RDWR | O_CREAT);
        put(file, PAGE);
        must(close(file) == 0);
    }
}

/* Each time another file takes its place. */
static void open_anew(void) {
    for (long i = 0; i < count; i++) {
        int file = opened(numbered(0), O_WRONLY | O_CREAT | O_EXCL);
        put(file, PAGE);
        must(close(file) == 0 && rename(numbered(0), path) == 0);
    }
}

static void look_for(int is_there, const char *name) {
    struct stat found;
    must((stat(name, &found) == 0) == is_there);
}

static void search_far(void) {
    for (long i = 0; i < count; i++) {
        for (long place = 0; place < 9; place++)
            look_for(0, numbered(place));
        look_for(1, path);
    }
}

static void search_first(void) {
    for (long i = 0; i < count; i++)
        look_for(1, path);
}

/* Whether a file is there is asked before it is made. */
static void search_new(void) {
    for (long i = 0; i < count; i++) {
        look_for(0, numbered(i));
        must(close(opened(numbered(i), O_WRONLY | O_CREAT | O_EXCL)) == 0);
    }
}

static void poll_all(int is_asked_first, int is_filled) {
    int ends[2];
    must(pipe2(ends, O_NONBLOCK) == 0);
    for (long i = 0; i < count; i++) {
        struct pollfd ready = {.fd = ends[0], .events = POLLIN};
        if (is_asked_first) {
            must(poll(&ready, 1, 0) == 0);
            continue;
        }
        if (is_filled)
            must(write(ends[1], buffer, 1) == 1 && read(ends[0], buffer, 1) == 1);
        must(read(ends[0], buffer, 1) < 0);
    }
}

static void poll_again(void) {
    poll_all(0, 0);
}

/* Asks once, and is told that there is nothing. */
static void poll_wait(void) {
    poll_all(1, 0);
}

/* Finds the end once for each byte. */
static void poll_drain(void) {
    poll_all(0, 1);
}

/* The file, with nothing of it in the page cache. */
static int cold(int flags) {
    int file = opened(path, flags);
    must(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    return file;
}

static void write_apart(int file, long size) {
    for (long i = 0; i < count; i++)
        must(pwrite(file, buffer, (size_t)size, far(i)) == size);
}

static void write_parts(void) {
    write_apart(cold(O_RDWR), 1000);
}

static void write_pages(void) {
    write_apart(cold(O_RDWR), PAGE);
}

static void write_pages_cached(void) {
    write_apart(opened(path, O_RDWR), PAGE);
}

/* The rest of each page is there. */
static void write_parts_cached(void) {
    write_apart(opened(path, O_RDWR), 1000);
}

/* One at a time, past the page cache. */
static void read_direct(void) {
    int file = opened(path, O_RDONLY | O_DIRECT);
    for (long i = 0; i < count; i++)
        must(pread(file, buffer, (size_t)PAGE, far(i)) == PAGE);
}

static void write_direct(void) {
    int file = opened(path, O_RDWR | O_DIRECT);
    for (long i = 0; i < count; i++)
        must(pwrite(file, buffer, (size_t)PAGE, far(i)) == PAGE);
}

static void read_in_order(void) {
    int file = cold(O_RDONLY);
    for (long i = 0; i < count; i++)
        must(read(file, buffer, (size_t)PAGE) == PAGE);
}

#include "findings_async.h"

static void map_all(int advice, long first, long step) {
    int file = cold(O_RDONLY);
    volatile char *mapped = mmap(NULL, (size_t)count, PROT_READ, MAP_SHARED, file, 0);
    must(mapped != MAP_FAILED);
    must(madvise((void *)mapped, (size_t)count, advice) == 0);
    for (long i = first; i >= 0 && i < count; i += step)
        (void)mapped[i];
}

static void map_apart(void) {
    map_all(MADV_RANDOM, 0, PAGE);
}

static void map_ahead(void) {
    map_all(MADV_SEQUENTIAL, 0, PAGE);
}

/* Backwards and far apart nothing is read ahead, but much around each page. */
static void map_around(void) {
    map_all(MADV_NORMAL, count - (256 << 10), -(256 << 10));
}

static const struct mode {
    const char *name;
    void (*run)(void);
    /* Whether there is to be something in the file. */
    int reads;
} MODES[] = {
    {"enter-alone", enter_alone, 1},
    {"enter-once", enter_once, 1},
    {"map-ahead", map_ahead, 1},
    {"map-apart", map_apart, 1},
    {"map-around", map_around, 1},
    {"open-anew", open_anew, 0},
    {"open-each", open_each, 1},
    {"open-files", open_files, 0},
    {"poll-again", poll_again, 0},
    {"poll-drain", poll_drain, 0},
    {"poll-wait", poll_wait, 0},
    {"read-at-once", read_at_once, 1},
    {"read-bytes", read_bytes, 1},
    {"read-bytes-apart", read_bytes_apart, 1},
    {"read-direct", read_direct, 1},
    {"read-in-order", read_in_order, 1},
    {"read-pages-apart", seek_never, 1},
    {"rename-durable", rename_durable, 0},
    {"rename-once", rename_once, 0},
    {"rename-sync-each", rename_sync_each, 0},
    {"ring-alone", ring_alone, 0},
    {"ring-each", ring_each, 0},
    {"ring-once", ring_once, 0},
    {"ring-wait", ring_wait, 0},
    {"ring-write-asked", ring_write_asked, 1},
    {"ring-write-cached", ring_write_cached, 1},
    {"search-far", search_far, 1},
    {"search-first", search_first, 1},
    {"search-new", search_new, 0},
    {"seek-each", seek_each, 1},
    {"seek-seldom", seek_seldom, 1},
    {"stat-each", stat_each, 1},
    {"stat-opened", stat_opened, 0},
    {"submit-cached", submit_cached, 1},
    {"submit-cold", submit_cold, 1},
    {"submit-direct", submit_direct, 1},
    {"sync-each", sync_each, 0},
    {"sync-files", sync_files, 0},
    {"sync-files-twice", sync_files_twice, 0},
    {"sync-once", sync_once, 0},
    {"write-and-read", write_and_read, 0},
    {"write-at-once", write_at_once, 0},
    {"write-burst", write_burst, 0},
    {"write-burst-direct", write_burst_direct, 0},
    {"write-by", write_by, 0},
    {"write-direct", write_direct, 1},
    {"write-durable", durable_each, 0},
    {"write-durable-large", durable_large, 0},
    {"write-durable-records", durable_records, 0},
    {"write-in-parts", write_in_parts, 0},
    {"write-pages", write_pages, 1},
    {"write-pages-cached", write_pages_cached, 1},
    {"write-parts", write_parts, 1},
    {"write-parts-cached", write_parts_cached, 1},
};

static void prepare(void) {
    int file = created();
    for (long i = 0; i < FILE_SIZE; i += (long)sizeof buffer)
        put(file, sizeof buffer);
    must(fsync(file) == 0);
}

/* Tells for how many nanoseconds it was ready and waited for a CPU. */
static void account(void) {
    FILE *file = fopen("/proc/self/schedstat", "r");
    unsigned long long on_cpu, waited;
    must(file && fscanf(file, "%llu %llu", &on_cpu, &waited) == 2);
    must(printf("waited %llu\n", waited) > 0);
}

int main(int argc, char **argv) {
    must(argc == 4 || (argc == 5 && strcmp(argv[4], "prepare") == 0));
    path = argv[2];
    count = atol(argv[3]);
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) {
        if (strcmp(argv[1], MODES[i].name) != 0)
            continue;
        if (argc == 4) {
            MODES[i].run();
            account();
        } else if (MODES[i].reads) {
            prepare();
        }
        return 0;
    }
    must(!"a mode of that name");
}
