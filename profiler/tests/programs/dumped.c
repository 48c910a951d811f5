/* dumped: writes to 8 MiB of its memory, and ends by a signal for which the kernel writes that to a file or a pipe, core(5). */
#include "must.h"
#include <stdlib.h>
#include <sys/resource.h>

enum { SIZE = 8 << 20 };

int main(void) {
    struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
    must(setrlimit(RLIMIT_CORE, &any) == 0);
    char *memory = malloc(SIZE);
    must(memory != NULL);
    for (int at = 0; at < SIZE; at++)
        memory[at] = at * 7 + 1;
    *(volatile char *)0 = memory[rand() % SIZE];
    return 0;
}
