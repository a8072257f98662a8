/*
 * Stand-in for a disk that hangs: preloaded into the service.
 *
 * Each open of the file SLOW_FILE appends a byte to the file SLOW_OPENED, then
 * opens the file SLOW_GATE, if there is one. That is a FIFO while the disk
 * hangs, whose open waits for a writer. Meanwhile reading the file's metadata does
 * the same.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*open_t)(const char *, int, ...);

static int is_slow(const char *path)
{
	const char *slow = getenv("SLOW_FILE");

	return slow && path && !strcmp(path, slow);
}

static void count_open(open_t real)
{
	const char *opened = getenv("SLOW_OPENED");
	int fd = real(opened, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1) {
		abort();
	}
	close(fd);
}

static void wait_at_gate(open_t real)
{
	int fd = real(getenv("SLOW_GATE"), O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
	}
}

int open64(const char *path, int flags, ...)
{
	open_t real = (open_t) dlsym(RTLD_NEXT, "open64");
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (is_slow(path)) {
		count_open(real);
		wait_at_gate(real);
	}
	return real(path, flags, mode);
}

int statx(int folder, const char *path, int flags, unsigned int mask, struct statx *about)
{
	int (*real)(int, const char *, int, unsigned int, struct statx *) = dlsym(RTLD_NEXT, "statx");

	if (is_slow(path) && !access(getenv("SLOW_GATE"), F_OK)) {
		open_t real_open = (open_t) dlsym(RTLD_NEXT, "open64");

		count_open(real_open);
		wait_at_gate(real_open);
	}
	return real(folder, path, flags, mask, about);
}
