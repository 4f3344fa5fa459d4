/*
 * pre-dump FILE: a process whose memory changes on demand, and which judges itself.
 *
 * FILE's words: it writes "ready" when it has its memory, "changed N" after the Nth SIGUSR1, and
 * "whole" or "page P is X, not Y" after SIGUSR2. Changes are of all kinds: writing, giving back
 * (MADV_DONTNEED), unmapping and mapping anew, moving (mremap), a child that writes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 8192

static unsigned char *map;
static int expected[PAGES];
static const char *file;

static void say(const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(1);
	(void)close(fd);
}

static unsigned char *at(int page)
{
	return map + (size_t)page * PAGE;
}

static void set(int page, int value)
{
	memset(at(page), value, PAGE);
	expected[page] = value;
}

static void forget(int page, int n)
{
	for (int i = page; i < page + n; i++)
		expected[i] = 0;
}

static void change(int round)
{
	int page = rand() % (PAGES - 20);
	void *other = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	for (int i = 0; i < 100; i++)
		set(rand() % PAGES, round + 1);
	if (madvise(at(page), 3 * PAGE, MADV_DONTNEED) < 0)
		_exit(1);
	forget(page, 3);
	page = rand() % (PAGES - 20);
	if (mmap(at(page), 10 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(1);
	forget(page, 10);
	set(page + 4, 200 + round);
	/* The same pages come back to where they were, in another mapping. */
	page = rand() % (PAGES - 20);
	if (mremap(at(page), 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) != other ||
	    mremap(other, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(page)) != at(page))
		_exit(1);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 500; i++)
			set(rand() % PAGES, 99);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
}

static void judge(void)
{
	char text[64] = "whole\n";

	for (int page = 0; page < PAGES; page++)
		for (int i = 0; i < PAGE; i += 1365)
			if (at(page)[i] != expected[page])
				(void)snprintf(text, sizeof(text), "page %d is %d, not %d\n", page,
					       at(page)[i], expected[page]);
	say(text);
}

int main(int argc, char **argv)
{
	char text[32];
	sigset_t set_of;
	int round = 0;
	int sig;

	file = argc > 1 ? argv[1] : "/dev/null";
	map = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	if (map == MAP_FAILED)
		return 1;
	for (int page = 0; page < PAGES; page++)
		if (page % 100)
			set(page, 1);
	(void)sigemptyset(&set_of);
	(void)sigaddset(&set_of, SIGUSR1);
	(void)sigaddset(&set_of, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set_of, NULL);
	say("ready\n");
	for (;;) {
		if (sigwait(&set_of, &sig) != 0)
			continue;
		if (sig == SIGUSR2) {
			judge();
			continue;
		}
		change(++round);
		(void)snprintf(text, sizeof(text), "changed %d\n", round);
		say(text);
	}
}
