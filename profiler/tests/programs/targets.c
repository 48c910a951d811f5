/* targets WHAT FILE [ARGUMENT]: what may become of a process that is profiled. It writes "ready", waits for a byte
 * on its standard input, does it, reads ten bytes of FILE one by one, writes "done" and ends with its input.
 *   stays      nothing
 *   executes   executes this program as "stays"; ARGUMENT is its path, which may be another with the same inside
 *   thread     the same by a thread, with which the process goes on while its first one ends
 *   daemonises ends, when a grandchild has been made in a session of its own, which does the rest after a second byte
 *   namespaces leaves its namespaces of mounts, host name and PIDs, and comes back; then those of users and of time;
 *              each time a child reads ten bytes first
 *   suspends   waits in vfork(2), which is uninterruptible, for a child that waits for the byte
 *   leaderless ends its first thread before it is ready; another does the rest
 *   zombie     has a child that has ended; writes its number, and waits for the byte before it asks for its status
 *   traces     stops the process ARGUMENT as a debugger does, and lets it go when the byte comes */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *argument;
static char **words;
static int file;

static void say(const char *line) {
    must(write(STDOUT_FILENO, line, strlen(line)) > 0);
}

static void wait_for_byte(void) {
    char byte;
    must(read(STDIN_FILENO, &byte, 1) == 1);
}

static void read_ten(void) {
    char byte;
    for (int i = 0; i < 10; i++)
        must(syscall(SYS_pread64, file, &byte, 1L, 0L) == 1);
}

static void *finish(void *unused) {
    char byte;
    read_ten();
    say("done\n");
    must(read(STDIN_FILENO, &byte, 1) == 0);
    exit(0);
    return unused;
}

static void *goes_on_alone(void *unused) {
    say("ready\n");
    wait_for_byte();
    return finish(unused);
}

static void *execute(void *unused) {
    read_ten();
    execl(argument, "targets", "goes-on", words[2], argument, (char *)NULL);
    _exit(98);
    return unused;
}

static void in_thread(void *(*what)(void *)) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, what, NULL) == 0);
}

static void in_child(void) {
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        read_ten();
        _exit(0);
    }
    int status;
    must(waitpid(child, &status, 0) == child && status == 0);
}

static void daemonise(void) {
    pid_t child = fork();
    must(child >= 0);
    if (child != 0)
        _exit(0);
    must(setsid() > 0);
    child = fork();
    must(child >= 0);
    if (child != 0)
        _exit(0);
    wait_for_byte();
}

static void change_namespaces(void) {
    const char *names[] = {"/proc/self/ns/mnt", "/proc/self/ns/uts", "/proc/self/ns/pid"};
    int own[3];
    for (int i = 0; i < 3; i++)
        must((own[i] = open(names[i], O_RDONLY | O_CLOEXEC)) >= 0);
    must(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID) == 0);
    in_child();
    for (int i = 0; i < 3; i++)
        must(setns(own[i], 0) == 0);
    in_child();
    must(unshare(CLONE_NEWUSER | CLONE_NEWTIME) == 0);
    in_child();
}

static void trace(void) {
    pid_t other = atoi(argument);
    int status;
    must(ptrace(PTRACE_SEIZE, other, 0, 0) == 0 && ptrace(PTRACE_INTERRUPT, other, 0, 0) == 0);
    must(waitpid(other, &status, __WALL) == other && WIFSTOPPED(status));
    say("stopped\n");
    wait_for_byte();
    must(ptrace(PTRACE_DETACH, other, 0, 0) == 0);
}

int main(int argc, char **argv) {
    must(argc >= 3);
    const char *what = argv[1];
    words = argv;
    argument = argc > 3 ? argv[3] : "";
    file = open(argv[2], O_RDONLY | O_CLOEXEC);
    must(file >= 0);
    if (strcmp(what, "goes-on") == 0) {
        if (geteuid() != getuid())
            say("with another user's rights\n");
        finish(NULL);
    }
    if (strcmp(what, "leaderless") == 0) {
        in_thread(goes_on_alone);
        pthread_exit(NULL);
    }
    pid_t ended = 0;
    if (strcmp(what, "zombie") == 0) {
        ended = fork();
        must(ended >= 0);
        if (ended == 0)
            _exit(0);
        siginfo_t info;
        must(waitid(P_PID, ended, &info, WEXITED | WNOWAIT) == 0);
        printf("%d\n", ended);
        fflush(stdout);
    }
    say("ready\n");
    if (strcmp(what, "suspends") == 0) {
        if (vfork() == 0) {
            wait_for_byte();
            _exit(0);
        }
        finish(NULL);
    }
    wait_for_byte();
    if (strcmp(what, "executes") == 0)
        execute(NULL);
    if (strcmp(what, "thread") == 0) {
        in_thread(execute);
        for (;;)
            pause();
    }
    if (strcmp(what, "daemonises") == 0)
        daemonise();
    if (strcmp(what, "namespaces") == 0)
        change_namespaces();
    if (strcmp(what, "zombie") == 0)
        must(waitpid(ended, NULL, 0) == ended);
    if (strcmp(what, "traces") == 0)
        trace();
    finish(NULL);
}
