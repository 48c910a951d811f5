/* many_series: after a byte on its standard input, it makes every named system call once or more, so that each fails, and
 * those that move bytes with requested sizes of every power of two. It says so by a byte on its standard output.
 * Then it makes two preadv2 calls: one that waits for a byte on its standard input, and one that fails. */
#define _GNU_SOURCE
#include "must.h"
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define OCTAVES 44

static const long sized[] = {SYS_read,   SYS_pread64,         SYS_write,    SYS_pwrite64, SYS_copy_file_range,
                             SYS_sendfile, SYS_splice};
static const long vectored[] = {SYS_readv, SYS_preadv, SYS_writev, SYS_pwritev, SYS_pwritev2};
static const long others[] = {
    SYS_fsync,      SYS_fdatasync, SYS_sync_file_range, SYS_msync,        SYS_syncfs,         SYS_openat,
    SYS_openat2,    SYS_close,     SYS_lseek,           SYS_fstat,        SYS_newfstatat,     SYS_statx,
    SYS_getdents64, SYS_truncate,  SYS_ftruncate,       SYS_fallocate,    SYS_fadvise64,      SYS_readahead,
    SYS_madvise,    SYS_mmap,      SYS_munmap,          SYS_renameat2,    SYS_unlinkat,       SYS_mkdirat,
    SYS_io_submit,  SYS_io_getevents, SYS_io_uring_enter,
};

#define EACH(number, numbers) \
    for (const long *number = numbers; number < numbers + sizeof(numbers) / sizeof(*numbers); number++)

int main(void) {
    char byte;
    must(read(STDIN_FILENO, &byte, 1) == 1);
    for (int octave = 0; octave < OCTAVES; octave++) {
        unsigned long size = octave == 0 ? 1 : 1UL << (octave + 4);
        struct iovec segment = {.iov_base = &byte, .iov_len = size};
        EACH(number, sized)
            must(syscall(*number, -1L, 0L, size, size, size, 0L) == -1);
        EACH(number, vectored)
            must(syscall(*number, -1L, &segment, 1L, 0L, 0L, 0L) == -1);
    }
    EACH(number, others)
        must(syscall(*number, -1L, 0L, 0L, 0L, 0L, 0L) == -1);
    must(write(STDOUT_FILENO, "x", 1) == 1);
    struct iovec segment = {.iov_base = &byte, .iov_len = 1};
    must(preadv2(STDIN_FILENO, &segment, 1, -1, 0) == 1);
    must(preadv2(-1, &segment, 1, -1, 0) == -1);
    return 0;
}
