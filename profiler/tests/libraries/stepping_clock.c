/* Loaded before the C library: the time of day steps by an hour at each look, forth and back, and begins in
 * 2001. No other clock is touched. */

#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t stepped(void)
{
	static int looks;
	return 1000000000 + (looks++ % 2 ? -3600 : 3600);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_REALTIME)
		return syscall(SYS_clock_gettime, clock, now);
	now->tv_sec = stepped();
	now->tv_nsec = 0;
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	(void)zone;
	now->tv_sec = stepped();
	now->tv_usec = 0;
	return 0;
}

time_t time(time_t *now)
{
	time_t value = stepped();

	if (now)
		*now = value;
	return value;
}
