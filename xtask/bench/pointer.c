/* Reads 8 bytes at random places of a populated map: nothing but the loop.
 *
 *     pointer FILE LOADS     prints "LOADS SECONDS SUM"
 *
 * The places are drawn as `ioprof workload mmap` draws them: the finaliser of SplitMix64 over a counter.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static inline uint64_t mix(uint64_t number)
{
	uint64_t z = number + 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int file = open(argv[1], O_RDONLY);
	struct stat stat;
	if (file < 0 || fstat(file, &stat))
		return 1;
	uint64_t loads = strtoull(argv[2], NULL, 10), words = stat.st_size / 8, sum = 0;
	uint64_t *map = mmap(NULL, stat.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
	if (map == MAP_FAILED)
		return 1;
	madvise(map, stat.st_size, MADV_RANDOM);
	struct timespec start, end;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint64_t i = 0; i < loads; i++)
		sum += map[(unsigned __int128)mix(i) * words >> 64];
	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
	printf("%lu %.6f %lu\n", loads, seconds, sum);
	return 0;
}
