/*
 * strike WHOM MICROSECONDS COMMAND...: starts the command in a session of its own and after
 * that time kills, by SIGKILL,
 *
 *	group	its whole process group
 *	first	the command itself
 *	child	the first child it has then; itself if there is none
 *	last	the deepest descendant it has then
 *
 * then waits until all its descendants are gone, and prints one line:
 * "ended CODE MICROSECONDS" if it ended before, else "struck PID NAME".
 * Exit code 1 if a descendant is still there after 20 s.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t first_child(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &child) != 1)
		child = 0;
	(void)fclose(file);
	return child;
}

static void name_of(pid_t pid, char *name, size_t size)
{
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	(void)snprintf(name, size, "?");
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, (int)size, file))
		name[strcspn(name, "\n")] = '\0';
	(void)fclose(file);
}

static pid_t choose(const char *whom, pid_t pid)
{
	pid_t child = first_child(pid);

	if (strcmp(whom, "group") == 0)
		return -pid;
	if (strcmp(whom, "child") == 0 && child)
		return child;
	if (strcmp(whom, "last") == 0) {
		while (child) {
			pid = child;
			child = first_child(pid);
		}
	}
	return pid;
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

int main(int argc, char **argv)
{
	sigset_t set, before;
	char name[64];
	pid_t pid, target, got;
	uint64_t us, start;
	int status;

	if (argc < 4)
		return 2;
	us = strtoull(argv[2], NULL, 10);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	start = now_us();
	pid = fork();
	if (pid == 0) {
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		(void)setsid();
		(void)execvp(argv[3], argv + 3);
		_exit(127);
	}
	while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_us() < start + us) {
		uint64_t left = start + us - now_us();
		struct timespec t = { .tv_sec = (time_t)(left / 1000000),
				      .tv_nsec = (long)(left % 1000000) * 1000 };

		if (left <= us)
			(void)sigtimedwait(&set, NULL, &t);
	}

	if (got == pid) {
		(void)printf("ended %d %lu\n",
			     WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
			     now_us() - start);
	} else {
		target = choose(argv[1], pid);
		name_of(target < 0 ? -target : target, name, sizeof(name));
		(void)kill(target, SIGKILL);
		(void)printf("struck %d %s\n", target, name);
	}

	/* Orphans come to us: none of the command's tasks may stay. */
	for (int i = 0; i < 20000; i++) {
		got = waitpid(-1, NULL, WNOHANG);
		if (got < 0 && errno == ECHILD)
			return 0;
		if (got == 0)
			(void)usleep(1000);
	}
	target = first_child(getpid());
	name_of(target, name, sizeof(name));
	(void)printf("still there: %d %s\n", target, name);
	return 1;
}
