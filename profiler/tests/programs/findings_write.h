/* Modes of findings.c that write; a part of it. */
#pragma once

static void sync_each(void) {
    int file = created();
    for (long i = 0; i < count; i++) {
        put(file, PAGE);
        must(fdatasync(file) == 0);
    }
}

static void sync_once(void) {
    int file = created();
    for (long i = 0; i < count; i++)
        put(file, PAGE);
    must(fdatasync(file) == 0);
}

/* Each file is complete with its own call: there is nothing to group. */
static void sync_each_file(int times) {
    for (long i = 0; i < count; i++) {
        int file = opened(numbered(i), O_WRONLY | O_CREAT | O_TRUNC);
        put(file, PAGE);
        for (int done = 0; done < times; done++)
            must(fsync(file) == 0);
        must(close(file) == 0);
    }
}

static void sync_files(void) {
    sync_each_file(1);
}

static void sync_files_twice(void) {
    sync_each_file(2);
}

static void durable(long size) {
    int file = opened(path, O_WRONLY | O_CREAT | O_TRUNC | O_DSYNC);
    for (long i = 0; i < count; i++)
        put(file, size);
}

static void durable_each(void) {
    durable(PAGE);
}

/* As small and as sequential, but each is waited for: a buffer would break what is promised. */
static void durable_records(void) {
    durable(RECORD);
}

/* The writing is what takes the time. */
static void durable_large(void) {
    durable(sizeof buffer);
}

static void write_all(long size) {
    int file = created();
    for (long i = 0; i < count; i += size)
        put(file, size);
}

static void write_by(void) {
    write_all(RECORD);
}

static void write_at_once(void) {
    write_all(LARGE);
}

/* So much at a time that only what is dirty counts. */
static void burst(int flags) {
    int file = opened(path, O_WRONLY | O_CREAT | O_TRUNC | flags);
    for (long i = 0; i < count; i += (long)sizeof buffer)
        put(file, sizeof buffer);
}

static void write_burst(void) {
    burst(0);
}

static void write_burst_direct(void) {
    burst(O_DIRECT);
}

/* Each part is on the device before the next: the device is waited for, and no limit is met. */
static void write_in_parts(void) {
    int file = created();
    for (long i = 0; i < count; i += LARGE) {
        put(file, LARGE);
        must(sync_file_range(file, i, LARGE, SYNC_FILE_RANGE_WRITE_AND_WAIT) == 0);
    }
}
