/* A program that bears hostile names, and leaves nothing by which it could be looked at.
   hostile FOLDER: reads 4096 bytes of each file in FOLDER, calls itself by escapes, unlinks the files and its own
   binary, and reads them all once more by the descriptors it has. With a second argument it then says so on stdout
   and waits for its input to end. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int check(int result)
{
	if (result < 0) {
		perror("hostile");
		_exit(1);
	}
	return result;
}

int main(int count, char **words)
{
	static char data[4096], own[4096];
	int files[64], used = 0;
	struct dirent *entry;
	DIR *folder = opendir(words[1]);

	check(folder ? 0 : -1);
	check(readlink("/proc/self/exe", own, sizeof own - 1));
	check(prctl(PR_SET_NAME, "\033[31m\n\377\302\2332J"));
	while (used < 64 && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		files[used] = check(openat(dirfd(folder), entry->d_name, O_RDONLY));
		check(unlinkat(dirfd(folder), entry->d_name, 0));
		check(pread(files[used++], data, sizeof data, 0));
	}
	check(unlink(own));
	if (count > 2) {
		check(write(1, "ready\n", 6));
		check(read(0, data, 1) == 1 ? 0 : -1);
	}
	while (used--)
		check(pread(files[used], data, sizeof data, 0));
	return 0;
}
