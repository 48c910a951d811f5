/* files WHAT DIRECTORY COUNT: system calls on many files.
 *   make   makes COUNT files of one byte, each a file of its own
 *   keep   opens COUNT files, all at once, and reads a page of each three times in turn; before the third time
 *          it renames every fourth file and deletes every fourth behind those
 *   read   reads the file that DIRECTORY names to its end, COUNT bytes at a time
 *   wait   as read, but opens the file first, and then waits for a byte on its standard input
 *   twice  as read, twice
 *   copy   as read, and writes what it reads to a file of that name with `.copy` behind it
 *   send   as read, by sendfile, each behind a header that is written to another file
 *   keep-sent   as send, to a file of that name with `.copy` behind it, of which each write is made durable
 *   advise, ahead   asks for COUNT bytes of that file by posix_fadvise or readahead, and does not wait for them */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <unistd.h>

static char path[4096], moved[4096], *buffer;

static const char *name(const char *folder, long number) {
    snprintf(path, sizeof path, "%s/file-%06ld", folder, number);
    return path;
}

static void make(const char *folder, long count) {
    for (long i = 0; i < count; i++) {
        int file = open(name(folder, i), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        must(file >= 0 && write(file, "x", 1) == 1);
        close(file);
    }
}

static void keep(const char *folder, long count) {
    struct rlimit files = {count + 100, count + 100};
    must(setrlimit(RLIMIT_NOFILE, &files) == 0);
    int *open_files = malloc(count * sizeof *open_files);
    for (long i = 0; i < count; i++)
        must((open_files[i] = open(name(folder, i), O_RDONLY)) >= 0);
    for (int turn = 0; turn < 3; turn++) {
        for (long i = 0; turn == 2 && i < count; i++) {
            snprintf(moved, sizeof moved, "%s/moved-%06ld", folder, i);
            if (i % 4 == 0)
                must(rename(name(folder, i), moved) == 0);
            if (i % 4 == 1)
                must(unlink(name(folder, i)) == 0);
        }
        for (long i = 0; i < count; i++)
            must(pread(open_files[i], buffer, 4096, 0) == 4096);
    }
}

static void read_all(const char *file_name, long size, int waits, int copies) {
    int file = open(file_name, O_RDONLY), copy = -1;
    must(file >= 0);
    snprintf(path, sizeof path, "%s.copy", file_name);
    must(!copies || (copy = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) >= 0);
    char byte;
    if (waits)
        must(read(STDIN_FILENO, &byte, 1) == 1);
    ssize_t got;
    while ((got = read(file, buffer, size)) > 0)
        must(!copies || write(copy, buffer, got) == got);
    must(got == 0);
}

static void send_all(const char *file_name, long size, int keeps) {
    snprintf(path, sizeof path, "%s.copy", file_name);
    int file = open(file_name, O_RDONLY);
    int to = keeps ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DSYNC, 0600) : open("/dev/null", O_WRONLY);
    must(file >= 0 && to >= 0);
    ssize_t sent;
    do {
        must(write(to, buffer, 100) == 100);
        must((sent = sendfile(to, file, NULL, size)) >= 0);
    } while (sent > 0);
}

static void ask(const char *file_name, long size, int ahead) {
    int file = open(file_name, O_RDONLY);
    must(file >= 0);
    /* Of one call the kernel reads no more than a request of the device takes. */
    for (long at = 0; at < size; at += 65536)
        must(ahead ? readahead(file, at, 65536) == 0 : posix_fadvise(file, at, 65536, POSIX_FADV_WILLNEED) == 0);
}

int main(int argc, char **argv) {
    must(argc == 4);
    const char *what = argv[1], *folder = argv[2];
    long count = atol(argv[3]);
    must((buffer = malloc(count > 4096 ? count : 4096)) != NULL);
    if (strcmp(what, "make") == 0)
        make(folder, count);
    else if (strcmp(what, "keep") == 0)
        keep(folder, count);
    else if (strcmp(what, "advise") == 0 || strcmp(what, "ahead") == 0)
        ask(folder, count, strcmp(what, "ahead") == 0);
    else if (strcmp(what, "send") == 0 || strcmp(what, "keep-sent") == 0)
        send_all(folder, count, strcmp(what, "send") != 0);
    else if (strcmp(what, "twice") == 0)
        for (int turn = 0; turn < 2; turn++)
            read_all(folder, count, 0, 0);
    else
        read_all(folder, count, strcmp(what, "wait") == 0, strcmp(what, "copy") == 0);
    return 0;
}
