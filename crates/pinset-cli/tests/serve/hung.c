/*
 * Stand-in for a disk that hangs: preloaded into the service.
 *
 * Each open of the file SLOW_FILE appends a byte to the file SLOW_OPENED, then
 * opens the file SLOW_GATE, if there is one. That is a FIFO while the disk
 * hangs, whose open waits for a writer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*open_t)(const char *, int, ...);

static void wait_at_gate(open_t real, const char *path)
{
	const char *slow = getenv("SLOW_FILE");
	const char *opened = getenv("SLOW_OPENED");
	const char *gate = getenv("SLOW_GATE");
	int fd;

	if (!slow || !opened || !gate || strcmp(path, slow)) {
		return;
	}
	fd = real(opened, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1) {
		abort();
	}
	close(fd);
	fd = real(gate, O_RDONLY | O_CLOEXEC);
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
	wait_at_gate(real, path);
	return real(path, flags, mode);
}
