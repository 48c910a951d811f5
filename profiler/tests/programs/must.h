/* What a program relies on: it ends where that does not hold. */
#pragma once
#include <unistd.h>

static inline void must(int holds) {
    if (!holds)
        _exit(99);
}
