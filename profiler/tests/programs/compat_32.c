/* The same, compiled for the 32-bit interface. */
#include "compat.c"
