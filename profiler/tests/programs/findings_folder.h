/* Modes of findings.c that change a folder; a part of it. */
#pragma once
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

/* A folder beside the file, with a file in it. It may be there from an earlier run. */
static int folder(int is_synchronous) {
    const char *name = numbered(-1);
    must(mkdir(name, 0700) == 0 || errno == EEXIST);
    int made = opened(name, O_RDONLY | O_DIRECTORY);
    int file = openat(made, "0", O_WRONLY | O_CREAT, 0600);
    must(file >= 0 && close(file) == 0);
    unsigned flags = 0;
    must(ioctl(made, FS_IOC_GETFLAGS, &flags) == 0);
    flags = is_synchronous ? flags | FS_DIRSYNC_FL : flags & ~(unsigned)FS_DIRSYNC_FL;
    must(ioctl(made, FS_IOC_SETFLAGS, &flags) == 0);
    return made;
}

static void rename_all(int in, int is_synced) {
    for (long i = 0; i < count; i++) {
        char from[32], to[32];
        must(snprintf(from, sizeof from, "%ld", i) > 0);
        must(snprintf(to, sizeof to, "%ld", i + 1) > 0);
        must(renameat(in, from, in, to) == 0);
        if (is_synced)
            must(fsync(in) == 0);
    }
}

static void rename_durable(void) {
    rename_all(folder(1), 0);
}

static void rename_once(void) {
    int in = folder(0);
    rename_all(in, 0);
    must(fsync(in) == 0);
}

static void rename_sync_each(void) {
    rename_all(folder(0), 1);
}
