/* stalled FILE: does what each byte of standard input says past the page cache, and answers it with a byte on standard output.
 * p writes 512 pages, one after the other, l one request of as many bytes as 64 pages. It ends at the end of its input. */
#define _GNU_SOURCE
#include "must.h"
#include <fcntl.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 512, LARGE = 64 * PAGE };
static char buffer[LARGE] __attribute__((aligned(4096)));

int main(int argc, char **argv) {
    must(argc == 2);
    int file = open(argv[1], O_WRONLY | O_DIRECT);
    must(file >= 0);
    char step;
    while (read(STDIN_FILENO, &step, 1) == 1) {
        switch (step) {
        case 'p':
            for (int i = 0; i < PAGES; i++)
                must(pwrite(file, buffer, PAGE, (off_t)i * PAGE) == PAGE);
            break;
        case 'l': must(pwrite(file, buffer, LARGE, 0) == LARGE); break;
        default: must(0);
        }
        must(write(STDOUT_FILENO, &step, 1) == 1);
    }
    return 0;
}
