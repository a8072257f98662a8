/*
 * Faults of the machine, preloaded into Asterisk (LD_PRELOAD) and switched by the test
 * through a file that both have mapped (mod.rs): writes to the folder of Asterisk's
 * database that fail, or before which the process is killed, a clock that is wrong, and
 * threads of the module that can't be started.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "/harness/db"

/* As in mod.rs. */
struct switches {
	/* The seconds by which the clock is ahead. */
	int64_t clock;
	/* Whether threads of the module can't be started. */
	uint32_t no_threads;
	/* What writes fail with, or 0. */
	uint32_t error;
	/* The process is killed before this write of its kind, the first one being 1. */
	uint32_t kill_at;
	/* How many of this kind there were since the test has set this to 0. */
	uint32_t writes;
	/* Whether the process was killed. */
	uint32_t killed;
	/* The kind, as the trace has it; empty for none. */
	char kind[56];
	/* The beginning of the names of the files to which writes fail. */
	char failing[40];
};

static struct switches none;
static struct switches *switches = &none;
static int trace = -1;

__attribute__((constructor)) static void map_switches(void)
{
	int file = syscall(SYS_openat, AT_FDCWD, "/faults/switches", O_RDWR | O_CLOEXEC);
	void *mapped = mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (mapped == MAP_FAILED) {
		abort();
	}
	switches = mapped;
	trace = syscall(SYS_openat, AT_FDCWD, "/faults/trace",
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* Notes a write to the folder in the trace, and kills the process before the chosen one.
 * Returns true, and sets errno, if it is to fail. */
static int fails(const char *what, const char *path)
{
	const char *name = path + strlen(FOLDER);
	char kind[PATH_MAX];

	if (strncmp(path, FOLDER, strlen(FOLDER))) {
		return 0;
	}
	name += *name == '/';
	snprintf(kind, sizeof(kind), "%s %s", what, name);
	if (!strcmp(kind, switches->kind)
		&& __atomic_add_fetch(&switches->writes, 1, __ATOMIC_SEQ_CST) == switches->kill_at) {
		__atomic_store_n(&switches->killed, 1, __ATOMIC_SEQ_CST);
		kill(getpid(), SIGKILL);
		pause();
	}
	if (switches->kind[0]) {
		dprintf(trace, "%s\n", kind);
	}
	if (!switches->error || strncmp(name, switches->failing, strlen(switches->failing))) {
		return 0;
	}
	errno = switches->error;
	return 1;
}

static int fails_by_fd(const char *what, int fd)
{
	char link[40], path[PATH_MAX];
	ssize_t length;
	int before = errno;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	errno = before;
	if (length < 0) {
		return 0;
	}
	path[length] = '\0';
	return fails(what, path);
}

/* A full disk still has names changed, and files shortened. */
static int is_full(void)
{
	return switches->error == ENOSPC;
}

ssize_t write(int fd, const void *data, size_t size)
{
	return fails_by_fd("write", fd) ? -1 : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return fails_by_fd("write", fd) ? -1 : syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) __attribute__((alias("pwrite64")));

int fdatasync(int fd)
{
	return fails_by_fd("sync", fd) ? -1 : syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	return fails_by_fd("sync", fd) ? -1 : syscall(SYS_fsync, fd);
}

int ftruncate64(int fd, off64_t size)
{
	return fails_by_fd("truncate", fd) && !is_full() ? -1 : syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size) __attribute__((alias("ftruncate64")));

int rename(const char *from, const char *to)
{
	return fails("rename", from) && !is_full() ? -1
		: syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
	return fails("unlink", path) && !is_full() ? -1 : syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
	va_end(arguments);
	if (flags & O_CREAT && fails("open", path)) {
		return -1;
	}
	return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = syscall(SYS_clock_gettime, clock, time);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
		time->tv_sec += switches->clock;
	}
	return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	int result = syscall(SYS_gettimeofday, time, zone);

	time->tv_sec += switches->clock;
	return result;
}

time_t time(time_t *time)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (time) {
		*time = now.tv_sec;
	}
	return now.tv_sec;
}

/* Times above this are since 1970, others since the start of the machine. */
#define EPOCH_TIMES 1000000000

/* The kernel's clock is right: the wait is for its time. It ends at least each tenth of a
 * second, as waits may without reason, so that it follows a clock that is set meanwhile. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
	const struct timespec *restrict until)
{
	struct timespec end = *until, soon;
	int result;

	if (until->tv_sec < EPOCH_TIMES) {
		return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, until);
	}
	end.tv_sec -= switches->clock;
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &soon);
	soon.tv_nsec += 100000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	if (end.tv_sec < soon.tv_sec || (end.tv_sec == soon.tv_sec && end.tv_nsec <= soon.tv_nsec)) {
		return pthread_cond_clockwait(cond, mutex, CLOCK_REALTIME, &end);
	}
	result = pthread_cond_clockwait(cond, mutex, CLOCK_REALTIME, &soon);
	return result == ETIMEDOUT ? 0 : result;
}

static int is_of_the_module(const void *function)
{
	Dl_info info;

	return dladdr(function, &info) && info.dli_fname && strstr(info.dli_fname, "app_authenticate_rs");
}

/* Asterisk starts each thread with a function of its own, whose argument begins with the
 * function that is to run. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
	void *(*run)(void *), void *restrict argument)
{
	static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (switches->no_threads && argument && is_of_the_module(*(void **) argument)) {
		return EAGAIN;
	}
	if (!create) {
		create = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
			dlsym(RTLD_NEXT, "pthread_create");
	}
	return create(thread, attributes, run, argument);
}
