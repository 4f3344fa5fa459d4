/*
 * memory CRYO DIR ROUNDS KIND...: what saving and restoring memory costs, beside its limits.
 *
 * KIND is pages:MIB (one mapping of random bytes), sparse:MIB (that much touched, spread over
 * 64 times as much), mappings:N (N mappings of two pages that can't be joined), files:N (N mapped
 * files of a page) or
 * family:MIB (that much, shared by a parent and 15 children).
 *
 * Each round makes the process anew and does, in this order:
 *	limit-write     the same number of bytes written to a new file in DIR, 1 MiB at a time
 *	dump            cryo dump
 *	limit-read      pages-1.img read into fresh memory advised for huge pages, on all processors
 *	restore         cryo restore -d
 * and prints a JSON line with the microseconds of each; those of round 0 warm up.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define PAGE ((size_t)4096)
#define CHILDREN 15
#define THREADS_MAX 64

#define CHECK(condition, what)                                                                     \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "memory: %s: %s\n", what, strerror(errno));          \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

struct kind {
	const char *name;
	size_t n;
};

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

/* Bytes that no compression, zero or duplicate detection makes fewer. */
static void fill_random(void *at, size_t len)
{
	static uint64_t x = 88172645463325252U;
	uint64_t *p = at;

	for (size_t i = 0; i < len / sizeof(*p); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
}

static char *map(size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED, "mmap");
	return at;
}

/* A page of a file, of which the process has its own copy. */
static void map_file(const char *dir, size_t i)
{
	char path[4096];
	char *at;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/files", dir);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/files/%zu", dir, i);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)PAGE) == 0, path);
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED, path);
	fill_random(at, PAGE);
	(void)close(fd);
}

static void touch(const struct kind *kind, const char *dir)
{
	char *at;

	if (strcmp(kind->name, "mappings") == 0) {
		for (size_t i = 0; i < kind->n; i++) {
			at = map(2 * PAGE);
			fill_random(at, PAGE);
			/* A neighbour with other rights can't be joined. */
			CHECK(mprotect(at, 2 * PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE) ==
				      0,
			      "mprotect");
		}
	} else if (strcmp(kind->name, "files") == 0) {
		for (size_t i = 0; i < kind->n; i++)
			map_file(dir, i);
	} else if (strcmp(kind->name, "sparse") == 0) {
		at = map(kind->n * 64 * MIB);
		for (size_t i = 0; i < kind->n * 16; i++)
			fill_random(at + i * 4 * MIB, 64 << 10);
	} else {
		at = map(kind->n * MIB);
		fill_random(at, kind->n * MIB);
	}
}

static size_t bytes_of(const struct kind *kind)
{
	bool pages = strcmp(kind->name, "mappings") == 0 || strcmp(kind->name, "files") == 0;

	if (strcmp(kind->name, "family") == 0)
		return kind->n * MIB * (CHILDREN + 1);
	return pages ? kind->n * PAGE : kind->n * MIB;
}

/* A child of ours that has its memory when this returns. */
static pid_t start(const struct kind *kind, const char *dir)
{
	int ready[2];
	char c;
	pid_t pid;

	CHECK(pipe2(ready, O_CLOEXEC) == 0, "pipe");
	pid = fork();
	CHECK(pid >= 0, "fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)setsid();
		for (int fd = 0; fd < 3; fd++)
			(void)dup2(null, fd);
		touch(kind, dir);
		for (int i = 0; i < CHILDREN && strcmp(kind->name, "family") == 0; i++)
			if (fork() == 0)
				break;
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		(void)close_range(3, ~0U, 0);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	for (int i = 0; i <= (strcmp(kind->name, "family") == 0 ? CHILDREN : 0); i++)
		CHECK(read(ready[0], &c, 1) == 1, "the process has its memory");
	(void)close(ready[0]);
	return pid;
}

static uint64_t limit_write(const char *dir, size_t len)
{
	char path[4096];
	char *from = map(len < 64 * MIB ? len : 64 * MIB);
	size_t window = len < 64 * MIB ? len : 64 * MIB;
	uint64_t began, us;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/limit", dir);
	fill_random(from, window);
	began = now_us();
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0, path);
	for (size_t done = 0; done < len;) {
		size_t part = len - done < MIB ? len - done : MIB;
		size_t at = done % window;

		part = part < window - at ? part : window - at;
		CHECK(write(fd, from + at, part) == (ssize_t)part, path);
		done += part;
	}
	(void)close(fd);
	us = now_us() - began;
	(void)unlink(path);
	(void)munmap(from, window);
	return us;
}

struct reader {
	pthread_t thread;
	int fd;
	char *to;
	size_t from;
	size_t until;
};

static void *read_part(void *arg)
{
	struct reader *r = arg;

	for (size_t at = r->from; at < r->until;) {
		ssize_t n = pread(r->fd, r->to + at, r->until - at, (off_t)at);

		CHECK(n > 0, "pread");
		at += (size_t)n;
	}
	return NULL;
}

static uint64_t limit_read(const char *dir)
{
	struct reader readers[THREADS_MAX];
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	char path[4096];
	struct stat st;
	uint64_t began, us;
	size_t len, step;
	char *raw, *to;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/pages-1.img", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0, path);
	len = (size_t)st.st_size;
	n = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
	step = (len / (size_t)n + 2 * MIB) & ~(2 * MIB - 1);
	began = now_us();
	raw = map(len + 2 * MIB);
	to = (char *)(((uintptr_t)raw + 2 * MIB - 1) & ~(2 * MIB - 1));
	(void)madvise(to, len, MADV_HUGEPAGE);
	for (long i = 0; i < n; i++) {
		struct reader *r = &readers[i];

		*r = (struct reader){ .fd = fd, .to = to, .from = (size_t)i * step };
		r->until = r->from + step < len ? r->from + step : len;
		CHECK(pthread_create(&r->thread, NULL, read_part, r) == 0, "thread");
	}
	for (long i = 0; i < n; i++)
		(void)pthread_join(readers[i].thread, NULL);
	us = now_us() - began;
	(void)munmap(raw, len + 2 * MIB);
	(void)close(fd);
	return us;
}

static uint64_t run(char *const argv[])
{
	uint64_t began = now_us();
	int status = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execv(argv[0], argv);
		_exit(127);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, argv[0]);
	if (status) {
		(void)fprintf(stderr, "memory: %s %s: status %#x\n", argv[0], argv[1],
			      (unsigned int)status);
		exit(1);
	}
	return now_us() - began;
}

static void end_restored(const char *pidfile, const struct kind *kind)
{
	FILE *f = fopen(pidfile, "re");
	int pid = 0;

	CHECK(f && fscanf(f, "%d", &pid) == 1 && pid > 1, pidfile);
	(void)fclose(f);
	/* Its session: the children of a family, too. */
	CHECK(kill(-pid, SIGKILL) == 0, "end the restored processes");
	for (int i = 0; i <= (strcmp(kind->name, "family") == 0 ? CHILDREN : 0); i++)
		(void)waitpid(-1, NULL, 0); /* orphans come to us */
}

static void round_of(char *cryo, const char *dir, const struct kind *kind, int round)
{
	char images[3000], pidfile[4096], pid_text[16];
	uint64_t write_us, dump_us, read_us, restore_us;
	pid_t pid = start(kind, dir);

	(void)snprintf(images, sizeof(images), "%s/images", dir);
	(void)snprintf(pidfile, sizeof(pidfile), "%s/pid", dir);
	(void)snprintf(pid_text, sizeof(pid_text), "%d", pid);
	CHECK(mkdir(images, 0700) == 0, images);
	write_us = limit_write(dir, bytes_of(kind));
	dump_us = run((char *[]){ cryo, "dump", "-t", pid_text, "-D", images, NULL });
	for (int i = 0; i <= (strcmp(kind->name, "family") == 0 ? CHILDREN : 0); i++)
		(void)waitpid(-1, NULL, 0);
	read_us = limit_read(images);
	(void)unlink(pidfile);
	restore_us =
		run((char *[]){ cryo, "restore", "-D", images, "-d", "--pidfile", pidfile, NULL });
	end_restored(pidfile, kind);
	(void)printf("{\"what\": \"%s\", \"n\": %zu, \"bytes\": %zu, \"round\": %d, "
		     "\"limit_write_us\": %ju, \"dump_us\": %ju, \"limit_read_us\": %ju, "
		     "\"restore_us\": %ju}\n",
		     kind->name, kind->n, bytes_of(kind), round, (uintmax_t)write_us,
		     (uintmax_t)dump_us, (uintmax_t)read_us, (uintmax_t)restore_us);
	(void)fflush(stdout);
	(void)run((char *[]){ "/bin/rm", "-r", images, NULL });
}

int main(int argc, char **argv)
{
	int rounds = argc > 4 ? atoi(argv[3]) : 0;

	if (rounds < 1) {
		(void)fprintf(stderr, "usage: memory CRYO DIR ROUNDS KIND:N...\n");
		return 2;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (int round = 0; round <= rounds; round++) {
		for (int i = 4; i < argc; i++) {
			char *name = strdup(argv[i]);
			char *colon = name ? strchr(name, ':') : NULL;
			struct kind kind = { name, colon ? strtoul(colon + 1, NULL, 10) : 0 };

			CHECK(colon && kind.n, "KIND:N");
			*colon = '\0';
			round_of(argv[1], argv[2], &kind, round);
			free(name);
		}
	}
	return 0;
}
