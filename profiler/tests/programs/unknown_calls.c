/* Calls of numbers that no kernel has: a new one's 3 times, one of those before 424 twice, one behind all tables 4 times,
 * and one with the mark of x32 5 times. */
#define _GNU_SOURCE
#include "must.h"
#include <errno.h>
#include <sys/syscall.h>

int main(void) {
    const struct {
        long number;
        int times;
    } calls[] = {{510, 3}, {359, 2}, {1000, 4}, {0x40000000 | 1000, 5}};
    for (int call = 0; call < 4; call++)
        for (int i = 0; i < calls[call].times; i++)
            must(syscall(calls[call].number) == -1 && errno == ENOSYS);
    must(syscall(SYS_getppid) > 0);
    return 0;
}
