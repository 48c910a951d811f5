/* on_cpu calls|instructions TIMES: makes a system call that does nothing so many times, or goes round a loop of a few
 * instructions. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3)
        return 99;
    unsigned long times = strtoul(argv[2], NULL, 10);
    if (strcmp(argv[1], "calls") == 0)
        for (unsigned long done = 0; done < times; done++)
            syscall(SYS_getppid);
    else
        for (volatile unsigned long done = 0; done < times; done++)
            ;
    return 0;
}
