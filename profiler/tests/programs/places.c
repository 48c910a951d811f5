/* places WHAT FOLDER: writes known numbers of bytes to files in places of different kinds.
 *   memfd      1000 bytes to a memfd "cache"
 *   deep       2000 bytes to "data" 40 folders of 20 letters below FOLDER
 *   deleted    3000 bytes to "data", which is then deleted
 *   replaced   4000 bytes to "data", whose name the file "other" takes, which is there
 *   renamed    5000 bytes to "data", which is then renamed to "moved"
 *   linked     6000 bytes to a file without a name, which is then linked as "data"
 *   rewritten  7000 bytes each to ".tmp-0" and so on, 20 of them, each renamed to "data"
 *   stays      waits for a byte on its standard input, and then writes 8000 bytes to "data" on a tmpfs that is mounted
 *              at FOLDER in a mount namespace of its own, and 500 to "gone", which is deleted; says so by a byte and
 *              waits for the end of its standard input */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char bytes[8192];

static int made(const char *name) {
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    must(file >= 0);
    return file;
}

static int written(const char *name, size_t size) {
    int file = made(name);
    must(write(file, bytes, size) == (ssize_t)size);
    return file;
}

static void deep(void) {
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "folder-%013d", i);
        must(mkdir(name, 0700) == 0 && chdir(name) == 0);
    }
    written("data", 2000);
}

static void linked(void) {
    char name[64];
    int file = open(".", O_TMPFILE | O_RDWR, 0600);
    must(file >= 0 && write(file, bytes, 6000) == 6000);
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    must(linkat(AT_FDCWD, name, AT_FDCWD, "data", AT_SYMLINK_FOLLOW) == 0);
}

static void rewritten(void) {
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, ".tmp-%d", i);
        int file = written(name, 7000);
        must(close(file) == 0 && rename(name, "data") == 0);
    }
}

static void stays(const char *folder) {
    char byte;
    must(read(STDIN_FILENO, &byte, 1) >= 0);
    must(unshare(CLONE_NEWNS) == 0);
    must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    must(mount("none", folder, "tmpfs", 0, NULL) == 0 && chdir(folder) == 0);
    written("data", 8000);
    written("gone", 500);
    must(unlink("gone") == 0);
    must(write(STDOUT_FILENO, "x", 1) == 1);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

int main(int argc, char **argv) {
    must(argc == 3 && chdir(argv[2]) == 0);
    const char *what = argv[1];
    if (strcmp(what, "memfd") == 0) {
        int file = memfd_create("cache", 0);
        must(file >= 0 && write(file, bytes, 1000) == 1000);
    } else if (strcmp(what, "deep") == 0) {
        deep();
    } else if (strcmp(what, "deleted") == 0) {
        written("data", 3000);
        must(unlink("data") == 0);
    } else if (strcmp(what, "replaced") == 0) {
        written("data", 4000);
        must(rename("other", "data") == 0);
    } else if (strcmp(what, "renamed") == 0) {
        written("data", 5000);
        must(rename("data", "moved") == 0);
    } else if (strcmp(what, "linked") == 0) {
        linked();
    } else if (strcmp(what, "rewritten") == 0) {
        rewritten();
    } else {
        stays(argv[2]);
    }
    return 0;
}
