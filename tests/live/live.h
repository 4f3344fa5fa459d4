/*
 * live: what a live test needs to be dumped, restored and judged.
 *
 *	int main(void)
 *	{
 *		... set a state ...
 *		live_freeze();		says "ready", returns after "go"
 *		CHECK(state == what it was, "state is %d", state);
 *		live_pass();
 *	}
 *
 * Standard output is a file opened for appending, shared with the runner. "go"
 * is told by the file becoming longer than LIVE_GO_SIZE, which a task of any
 * credentials and root can see, and a child as well as its parent.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVE_GO_SIZE 4096

static inline void live_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void live_say(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n] = '\n';
	if (write(STDOUT_FILENO, text, (size_t)n + 1) != n + 1)
		_exit(3);
}

#define live_fail(...)                                                                             \
	do {                                                                                       \
		live_say("fail: " __VA_ARGS__);                                                    \
		_exit(1);                                                                          \
	} while (0)

/* After the restore: the state is wrong. Before it: the test can't be set up. */
#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			live_fail(__VA_ARGS__);                                                    \
	} while (0)

#define SYS(call)                                                                                  \
	({                                                                                         \
		__typeof__(call) live_result = (call);                                             \
		if (live_result == (__typeof__(call))-1)                                           \
			live_fail("line %d: %s: %s", __LINE__, #call, strerror(errno));            \
		live_result;                                                                       \
	})

static inline __attribute__((noreturn)) void live_pass(void)
{
	live_say("pass");
	_exit(0);
}

/* Has the runner said "go"? */
static inline bool live_gone_on(void)
{
	struct stat st;

	return fstat(STDOUT_FILENO, &st) == 0 && st.st_size >= LIVE_GO_SIZE;
}

static inline void live_pause_ms(long ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
}

static inline void live_wait(void)
{
	while (!live_gone_on())
		live_pause_ms(2);
}

static inline void live_freeze(void)
{
	live_say("ready");
	live_wait();
}

/* Waits for a child that judges itself by its exit code. */
static inline void live_reap(pid_t pid)
{
	int status = 0;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	CHECK(got == pid, "waiting for %d: %s", pid, strerror(errno));
	CHECK(status == 0, "task %d ended with status %#x", pid, (unsigned int)status);
}

/* One line of /proc/PID/NAME that begins with `key`; empty if there is none. */
static inline const char *live_proc(pid_t pid, const char *name, const char *key)
{
	static char line[4096];
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	if (!file)
		return "";
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0) {
			(void)fclose(file);
			line[strcspn(line, "\n")] = '\0';
			return line + strlen(key);
		}
	}
	(void)fclose(file);
	return "";
}

/* A path for a file of the test: below its folder, or in its namespace's own /tmp. */
static inline const char *live_path(const char *name)
{
	static char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", getpid() == 1 ? "/tmp" : getenv("TEST_DIR"),
		       name);
	return path;
}

/* Into a field of fixed size, such as sun_path. */
static inline void live_copy(char *to, size_t size, const char *text)
{
	CHECK(strlen(text) < size, "'%s' is too long", text);
	memcpy(to, text, strlen(text) + 1);
}

/* A child that judges itself: its exit code tells live_reap(). */
static inline pid_t live_fork(void (*run)(void))
{
	pid_t pid = SYS(fork());

	if (pid == 0) {
		run();
		_exit(0);
	}
	return pid;
}

static inline uint64_t live_now_ns(clockid_t clock)
{
	struct timespec now;

	(void)SYS(clock_gettime(clock, &now));
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Until the child sleeps inside that system call. */
static inline void live_wait_blocked(pid_t pid, long nr)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "%ld ", nr);
	for (int i = 0; i < 2500; i++) {
		if (strncmp(live_proc(pid, "syscall", ""), want, strlen(want)) == 0)
			return;
		live_pause_ms(2);
	}
	live_fail("task %d does not come to system call %ld", pid, nr);
}
