/* Reads files from open to close: one thread per processor, one reused buffer each, as fast as plain system calls go.
 *
 *     files LIST PASSES     LIST holds one path per line; prints "FILES BYTES SECONDS ERRORS"
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (1 << 20)

static char **paths;
static size_t count, passes;
static atomic_size_t next;
static atomic_ullong bytes, errors;

static void *work(void *unused)
{
	(void)unused;
	char *buffer = malloc(BUFFER);
	size_t number, total = count * passes;
	unsigned long long mine = 0, failed = 0;
	while ((number = atomic_fetch_add(&next, 1)) < total) {
		int file = open(paths[number % count], O_RDONLY | O_CLOEXEC);
		if (file < 0) {
			failed++;
			continue;
		}
		ssize_t got;
		/* A regular file that gives less than asked for has ended. */
		while ((got = read(file, buffer, BUFFER)) > 0) {
			mine += got;
			if (got < BUFFER)
				break;
		}
		failed += got < 0;
		close(file);
	}
	atomic_fetch_add(&bytes, mine);
	atomic_fetch_add(&errors, failed);
	free(buffer);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	FILE *list = fopen(argv[1], "r");
	if (!list)
		return 1;
	passes = strtoul(argv[2], NULL, 10);
	char *line = NULL;
	size_t room = 0, space = 0;
	ssize_t length;
	while ((length = getline(&line, &room, list)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = 0;
		if (count == space)
			paths = realloc(paths, (space = space ? 2 * space : 1024) * sizeof *paths);
		paths[count++] = strdup(line);
	}
	fclose(list);

	long threads = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t *thread = calloc(threads, sizeof *thread);
	struct timespec start, end;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, work, NULL);
	for (long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
	printf("%zu %llu %.6f %llu\n", count * passes, bytes, seconds, errors);
	return 0;
}
