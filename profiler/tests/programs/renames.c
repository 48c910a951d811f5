/* renames all FOLDER: writes known numbers of bytes to files there, which then have other names.
 *   1001  within.tmp, renamed to within
 *   1002  from/moved.tmp, renamed to to/moved
 *   1003  over, over which over.tmp is renamed, with 1004
 *   1005  before.tmp, renamed over before, which is there
 *   1006  chain.1, renamed to chain.2, and that to chain
 *   1007  linked.tmp, linked as linked, and unlinked
 *   1008  one, and 1009 two, which are exchanged
 *   1010  parent.tmp/inner/data, whose folder parent.tmp is renamed to parent
 *   1011  child.tmp, by a process that renames it to child, and ends
 *   1012  back, renamed to away and to back
 *   1013  lost.tmp, renamed to lost, which is deleted
 *   1014  reused.tmp, renamed to reused; and 1015 a new reused.tmp
 *   1016  kept, linked as also
 *   1017  a file without a name, linked as anonymous
 * renames COUNT FOLDER: writes a byte to each of COUNT files .tmp-N, renamed to file-N. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char bytes[2048];

static void written(const char *name, size_t size) {
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(file >= 0 && write(file, bytes, size) == (ssize_t)size);
    must(close(file) == 0);
}

static void renamed(const char *from, const char *to) {
    must(rename(from, to) == 0);
}

static void folder(const char *name) {
    must(mkdir(name, 0700) == 0);
}

static void child(void) {
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        written("child.tmp", 1011);
        renamed("child.tmp", "child");
        _exit(0);
    }
    int status;
    must(waitpid(pid, &status, 0) == pid && status == 0);
}

static void anonymous(void) {
    char name[64];
    int file = open(".", O_TMPFILE | O_WRONLY, 0600);
    must(file >= 0 && write(file, bytes, 1017) == 1017);
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    must(linkat(AT_FDCWD, name, AT_FDCWD, "anonymous", AT_SYMLINK_FOLLOW) == 0);
}

static void all(void) {
    written("within.tmp", 1001);
    renamed("within.tmp", "within");
    folder("from");
    folder("to");
    written("from/moved.tmp", 1002);
    renamed("from/moved.tmp", "to/moved");
    written("over", 1003);
    written("over.tmp", 1004);
    renamed("over.tmp", "over");
    written("before.tmp", 1005);
    renamed("before.tmp", "before");
    written("chain.1", 1006);
    renamed("chain.1", "chain.2");
    renamed("chain.2", "chain");
    written("linked.tmp", 1007);
    must(link("linked.tmp", "linked") == 0 && unlink("linked.tmp") == 0);
    written("one", 1008);
    written("two", 1009);
    must(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE) == 0);
    folder("parent.tmp");
    folder("parent.tmp/inner");
    written("parent.tmp/inner/data", 1010);
    renamed("parent.tmp", "parent");
    child();
    written("back", 1012);
    renamed("back", "away");
    renamed("away", "back");
    written("lost.tmp", 1013);
    renamed("lost.tmp", "lost");
    must(unlink("lost") == 0);
    written("reused.tmp", 1014);
    renamed("reused.tmp", "reused");
    written("reused.tmp", 1015);
    written("kept", 1016);
    must(link("kept", "also") == 0);
    anonymous();
}

static void many(int count) {
    for (int i = 0; i < count; i++) {
        char from[32], to[32];
        snprintf(from, sizeof from, ".tmp-%d", i);
        snprintf(to, sizeof to, "file-%d", i);
        written(from, 1);
        renamed(from, to);
    }
}

int main(int argc, char **argv) {
    must(argc == 3 && chdir(argv[2]) == 0);
    if (strcmp(argv[1], "all") == 0)
        all();
    else
        many(atoi(argv[1]));
    return 0;
}
