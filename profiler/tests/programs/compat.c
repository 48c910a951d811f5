/* Makes a known number of calls by the 32-bit interface, whatever it is compiled for: by int 0x80, without a library.
 * All memory that they are given is below 4 GiB: static, in a program that is loaded where it was linked for. */
enum { PAGE = 4096, SEGMENTS = 5, TURNS = 16, BLOCKS = 3, OWN = 7 };
/* Without the last a 32-bit program has files of up to 2 GiB. */
enum { RDWR = 2, CREAT = 0100, TRUNC = 01000, LARGE = 0100000 };

/* Numbers of the 32-bit interface. */
enum {
    EXIT = 1, READ = 3, WRITE = 4, OPEN = 5, CLOSE = 6, MUNMAP = 91, FSYNC = 118, LLSEEK = 140, READV = 145,
    WRITEV = 146, PREAD64 = 180, PWRITE64 = 181, SENDFILE = 187, MMAP2 = 192, FTRUNCATE64 = 194, FSTAT64 = 197,
    READAHEAD = 225, SENDFILE64 = 239, IO_SETUP = 245, IO_DESTROY = 246, IO_GETEVENTS = 247, IO_SUBMIT = 248, FADVISE64_64 = 272,
    OPENAT = 295, SPLICE = 313, SYNC_FILE_RANGE = 314, FALLOCATE = 324, PIPE2 = 331, PREADV = 333, PWRITEV = 334,
    SOCKETCALL = 102, RECVMMSG = 337, SENDMMSG = 345, SENDTO = 369, RECVFROM = 371, COPY_FILE_RANGE = 377, PREADV2 = 378,
    PWRITEV2 = 379
};

/* Numbers of socketcall. */
enum { SOCKETPAIR = 8, SEND = 9, RECV = 10, SENDMSG = 16, RECVMSG = 17 };

struct segment {
    unsigned base, length;
};

/* struct iocb and struct io_event have the same form by both interfaces. */
struct block {
    unsigned long long data;
    unsigned key, flags;
    unsigned short opcode;
    short priority;
    unsigned file;
    unsigned long long buffer, bytes;
    long long offset;
    unsigned long long reserved;
    unsigned more_flags, event_file;
};

struct message {
    unsigned name, name_length, segments, count, control, control_length, flags, moved;
};

static char path[256], page[8 * PAGE], status[256];
static struct segment segments[SEGMENTS];
static struct block blocks[BLOCKS];
static unsigned pointers[BLOCKS], context, ends[2];
static long long events[4 * BLOCKS], position;
static struct message messages[2];

static unsigned place(const volatile void *memory) {
    return (unsigned)(unsigned long)memory;
}

/* The sixth argument is in ebp, which a compiler does not give away. */
static int call(int number, unsigned a, unsigned b, unsigned c, unsigned d, unsigned e) {
    int result;
    __asm__ volatile(
#ifdef __x86_64__
        "push %%rbp\n xor %%ebp, %%ebp\n int $0x80\n pop %%rbp\n"
#else
        "push %%ebp\n xor %%ebp, %%ebp\n int $0x80\n pop %%ebp\n"
#endif
        : "=a"(result)
        : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
        : "memory");
    return result;
}

static void must(int holds) {
    if (!holds)
        for (;;)
            call(EXIT, 99, 0, 0, 0, 0);
}

/* A call by the program's own interface, of which 64-bit ones have another number. */
static void own_pread(int file) {
#ifdef __x86_64__
    register long offset __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(17), "D"((long)file), "S"(page), "d"(100L), "r"(offset)
                     : "rcx", "r11", "memory");
    must(result == 100);
#else
    must(call(PREAD64, (unsigned)file, place(page), 100, 0, 0) == 100);
#endif
}

/* Offsets of more than 32 bits: the upper half counts. */
static void at_offsets(unsigned file) {
    for (unsigned i = 0; i < TURNS; i++)
        must(call(PWRITE64, file, place(page), PAGE, i * PAGE, 1) == PAGE);
    /* Forth and back by 4 GiB: only the lower halves follow one another. */
    for (unsigned i = 0; i < TURNS; i++)
        must(call(PREAD64, file, place(page), PAGE, i * PAGE, i % 2) == PAGE);
    for (unsigned i = 0; i < TURNS; i++)
        must(call(PREADV, file, place(segments), SEGMENTS, 0, 1) == 15 * 1024);
    for (unsigned i = 0; i < TURNS; i++)
        must(call(PWRITEV, file, place(segments), SEGMENTS, 0, 1) == 15 * 1024);
    must(call(PREADV2, file, place(segments), 1, 0, 1) == 1024);
    must(call(PWRITEV2, file, place(segments), 1, 0, 1) == 1024);
}

static void in_turn(unsigned file) {
    must(call(LLSEEK, file, 0, 0, place(&position), 0) == 0);
    for (unsigned i = 0; i < TURNS; i++)
        must(call(READ, file, place(page), PAGE, 0, 0) == PAGE);
    must(call(READV, file, place(segments), SEGMENTS, 0, 0) == 15 * 1024);
    /* At -1 it is the file's own offset that counts. */
    must(call(PREADV2, file, place(segments), 2, -1U, -1U) == 3 * 1024);
    must(call(LLSEEK, file, 0, 0, place(&position), 0) == 0);
    must(call(WRITE, file, place(page), PAGE, 0, 0) == PAGE);
    must(call(WRITEV, file, place(segments), SEGMENTS, 0, 0) == 15 * 1024);
}

static void copies(unsigned file, unsigned other) {
    must(call(LLSEEK, file, 0, 0, place(&position), 0) == 0);
    must(call(SENDFILE, other, file, 0, 3 * PAGE, 0) == 3 * PAGE);
    must(call(SENDFILE64, other, file, 0, 2 * PAGE, 0) == 2 * PAGE);
    must(call(COPY_FILE_RANGE, file, 0, other, 0, 4 * PAGE) == 4 * PAGE);
    must(call(PIPE2, place(ends), 0, 0, 0, 0) == 0);
    must(call(SPLICE, file, 0, ends[1], 0, PAGE) == PAGE);
}

/* sendfile has an offset of four bytes in memory, the other of eight; the file's own stays where it is. */
static void at_offsets_in_memory(unsigned file, unsigned other) {
    static unsigned from = 8 * PAGE;
    for (int i = 0; i < 4; i++)
        must(call(SENDFILE, other, file, place(&from), PAGE, 0) == PAGE);
    static unsigned long long then = 12 * PAGE;
    for (int i = 0; i < 4; i++)
        must(call(SENDFILE64, other, file, place(&then), PAGE, 0) == PAGE);
    must(from == 12 * PAGE && then == 16 * PAGE);
}

static int by_socketcall(int number, unsigned a, unsigned b, unsigned c, unsigned d) {
    static unsigned arguments[6];
    arguments[0] = a;
    arguments[1] = b;
    arguments[2] = c;
    arguments[3] = d;
    return call(SOCKETCALL, (unsigned)number, place(arguments), 0, 0, 0);
}

static void on_sockets(void) {
    must(by_socketcall(SOCKETPAIR, 1, 2, 0, place(ends)) == 0);
    must(by_socketcall(SEND, ends[0], place(page), 700, 0) == 700);
    must(by_socketcall(RECV, ends[1], place(page), 800, 0) == 700);
    must(call(SENDTO, ends[0], place(page), 600, 0, 0) == 600);
    must(call(RECVFROM, ends[1], place(page), 800, 0, 0) == 600);
    for (int i = 0; i < 2; i++)
        messages[i] = (struct message){.segments = place(segments), .count = 2};
    must(by_socketcall(SENDMSG, ends[0], place(messages), 0, 0) == 3 * 1024);
    must(by_socketcall(RECVMSG, ends[1], place(messages), 0, 0) == 3 * 1024);
    must(call(SENDMMSG, ends[0], place(messages), 2, 0, 0) == 2);
    must(call(RECVMMSG, ends[1], place(messages), 2, 0, 0) == 2);
}

static void asynchronous(unsigned file) {
    must(call(IO_SETUP, BLOCKS, place(&context), 0, 0, 0) == 0);
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = (struct block){.file = file, .buffer = place(page), .bytes = PAGE, .offset = i * PAGE};
        pointers[i] = place(&blocks[i]);
    }
    must(call(IO_SUBMIT, context, BLOCKS, place(pointers), 0, 0) == BLOCKS);
    must(call(IO_GETEVENTS, context, BLOCKS, BLOCKS, place(events), 0) == BLOCKS);
    must(call(IO_DESTROY, context, 0, 0, 0, 0) == 0);
}

static void of_other_kinds(unsigned file) {
    must(call(FALLOCATE, file, 0, 0, 0, PAGE) == 0);
    must(call(READAHEAD, file, 0, 0, PAGE, 0) == 0);
    must(call(FADVISE64_64, file, 0, 0, PAGE, 0) == 0);
    must(call(SYNC_FILE_RANGE, file, 0, 0, PAGE, 0) == 0);
    must(call(FSTAT64, file, place(status), 0, 0, 0) == 0);
    for (int i = 0; i < 3; i++)
        must(call(FSYNC, file, 0, 0, 0, 0) == 0);
    /* Shared, and of two pages. */
    unsigned mapped = (unsigned)call(MMAP2, 0, 2 * PAGE, 3, 0x21, -1U);
    must(mapped < -4095U);
    must(call(MUNMAP, mapped, 2 * PAGE, 0, 0, 0) == 0);
    must(call(OPEN, place("/nonexistent/file"), RDWR, 0, 0, 0) == -2);
}

__attribute__((used)) static void run(const char *argument) {
    int length = 0;
    while ((path[length] = argument[length]))
        length++;
    int opened = call(OPEN, place(path), RDWR | LARGE, 0, 0, 0);
    must(opened >= 0);
    unsigned file = (unsigned)opened;
    for (int i = 0; i < SEGMENTS; i++)
        segments[i] = (struct segment){place(page), (unsigned)(i + 1) * 1024};
    must(call(FTRUNCATE64, file, 0x100000, 1, 0, 0) == 0);
    path[length++] = '2';
    int other = call(OPENAT, -100U, place(path), RDWR | CREAT | TRUNC, 0600, 0);
    must(other >= 0);
    at_offsets(file);
    in_turn(file);
    copies(file, (unsigned)other);
    at_offsets_in_memory(file, (unsigned)other);
    on_sockets();
    asynchronous(file);
    of_other_kinds(file);
    for (int i = 0; i < OWN; i++)
        own_pread(opened);
    must(call(CLOSE, (unsigned)other, 0, 0, 0, 0) == 0);
    must(call(CLOSE, file, 0, 0, 0, 0) == 0);
    call(EXIT, 0, 0, 0, 0, 0);
}

/* The stack begins with the number of arguments, and their addresses. */
#ifdef __x86_64__
__asm__(".globl _start\n_start:\n mov 16(%rsp), %rdi\n and $-16, %rsp\n call run\n");
#else
__asm__(".globl _start\n_start:\n mov 8(%esp), %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n call run\n");
#endif
