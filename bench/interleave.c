/*
 * interleave ROUNDS WARMUP NAME COMMAND... [, NAME COMMAND...]...
 *
 * Runs the commands in turn, ROUNDS times after WARMUP turns that are not counted, each by
 * posix_spawn(3) and wait4(2), and prints a JSON line for each run: its name, round, wall
 * time in microseconds, exit code, and what it wrote to standard output.
 * A command that fails ends the measurement with exit code 1.
 */
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 32

extern char **environ;

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

static void print_json_string(int fd)
{
	char buf[8192];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);

	(void)putchar('"');
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)buf[i];

		if (c == '"' || c == '\\')
			(void)printf("\\%c", c);
		else if (c < 32)
			(void)printf("\\u%04x", c);
		else
			(void)putchar(c);
	}
	(void)putchar('"');
}

/* The command's standard output is a memory file: nobody who keeps it open can hold us up. */
static int run(const char *name, char **argv, int round)
{
	posix_spawn_file_actions_t actions;
	int out = memfd_create("output", MFD_CLOEXEC);
	struct rusage usage;
	uint64_t start, us;
	int status, code, r;
	pid_t pid;

	if (out < 0)
		return -1;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	start = now_us();
	r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (r == 0)
		while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
			;
	us = now_us() - start;
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0) {
		(void)fprintf(stderr, "%s: %s\n", argv[0], strerror(r));
		(void)close(out);
		return -1;
	}
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (round >= 0) {
		(void)printf(
			"{\"what\":\"%s\",\"round\":%d,\"us\":%lu,\"cpu_us\":%ld,\"exit\":%d,\"out\":",
			name, round, us,
			(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
				usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
			code);
		print_json_string(out);
		(void)puts("}");
		(void)fflush(stdout);
	}
	(void)close(out);
	if (code != 0)
		(void)fprintf(stderr, "%s: exit code %d\n", name, code);
	return code == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	char **commands[MAX_COMMANDS];
	int n = 0, rounds, warmup;

	if (argc < 5)
		return 2;
	rounds = (int)strtol(argv[1], NULL, 10);
	warmup = (int)strtol(argv[2], NULL, 10);
	commands[n++] = &argv[3];
	for (int i = 4; i < argc; i++) {
		if (strcmp(argv[i], ",") == 0 && n < MAX_COMMANDS) {
			argv[i] = NULL;
			commands[n++] = &argv[i + 1];
		}
	}
	for (int round = -warmup; round < rounds; round++)
		for (int i = 0; i < n; i++)
			if (run(commands[i][0], commands[i] + 1, round) < 0)
				return 1;
	return 0;
}
