/*
 * All or nothing: every entry of every tape of a restore is made to fail once.
 * Each time nothing may be left, and in the end the images restore whole.
 */
#include "../cmocka-all.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/restore-priv.h"
#include "cryo/dump.h"
#include "cryo/restore.h"

#define NO_SUCH_CALL 100000
#define ENTRIES_MAX 100000
#define GHOST "ghost" /* in the folder of the images */

struct tree {
	char dir[64];
	int images;
	pid_t root;
	pid_t child;
};

static void on_alarm(int signal UNUSED)
{
}

static void pause_forever(void)
{
	for (;;)
		(void)pause();
}

/* Runs in the victim: a bit of everything that a tape has. */
static void victim(int said)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval late = { .it_value.tv_sec = 1000 };
	int ends[2];
	pid_t zombie;
	pid_t child;
	int fd;

	(void)setsid();
	fd = open(GHOST, O_RDWR | O_CREAT | O_EXCL, 0600);
	(void)!write(fd, "deleted", 7);
	(void)unlink(GHOST);
	(void)!pipe(ends);
	(void)!write(ends[1], "content", 7);
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &late, NULL);
	zombie = fork();
	if (zombie == 0)
		_exit(7);
	(void)waitid(P_PID, (id_t)zombie, NULL, WEXITED | WNOWAIT);
	child = fork();
	if (child == 0) {
		(void)setpgid(0, 0);
		(void)raise(SIGURG);
		pause_forever();
	}
	(void)setpgid(child, child);
	(void)!write(said, &child, sizeof(child));
	pause_forever();
}

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	struct cryo_dump_opts opts = CRYO_DUMP_OPTS_INIT;
	struct error err = ERROR_INIT;
	int said[2];

	if (!t || pipe2(said, O_CLOEXEC) < 0)
		return -1;
	log_set_level(LOG_LEVEL_NONE);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	strcpy(t->dir, "/tmp/cryopod-fault-XXXXXX");
	if (!mkdtemp(t->dir))
		return -1;
	t->images = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->root = fork();
	if (t->root == 0) {
		int null = open("/dev/null", O_RDWR);

		if (fchdir(t->images) < 0)
			_exit(1);
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		(void)dup2(said[1], 3);
		(void)close_range(4, ~0u, 0);
		victim(3);
	}
	if (read(said[0], &t->child, sizeof(t->child)) != (ssize_t)sizeof(t->child))
		return -1;
	(void)close(said[0]);
	(void)close(said[1]);
	opts.pid = t->root;
	opts.images_dir = t->images;
	if (cryo_dump(&opts, NULL, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	*state = t;
	return errno == ECHILD ? 0 : -1;
}

static int teardown(void **state)
{
	struct tree *t = *state;

	(void)close(t->images);
	(void)file_remove_tree_at(AT_FDCWD, t->dir, NULL);
	free(t);
	return 0;
}

struct strike {
	size_t number; /* of the entry, all tapes counted through */
	bool struck;
	char label[128];
};

/* Up to the last barrier, where the tree is complete and waits to be released. */
static size_t entries_before_release(const struct tape *tape)
{
	size_t n = tape->n;

	while (n && tape->entries[n - 1].op != PIE_OP_BARRIER)
		n--;
	return n && strcmp(tape->name, "become") == 0 ? n - 1 : tape->n;
}

/* Barriers, stores and the like can't fail. */
static bool can_fail(const struct pie_entry *entry)
{
	return entry->op == PIE_OP_SYSCALL || entry->op == PIE_OP_FORK;
}

static void strike(void *arg, struct area *area)
{
	struct strike *s = arg;
	size_t left = s->number;

	for (size_t i = 0; i < area->n_tapes; i++) {
		struct tape *tape = area->tapes[i];

		for (size_t j = 0; j < entries_before_release(tape); j++) {
			if (!can_fail(&tape->entries[j]) || left--)
				continue;
			(void)snprintf(s->label, sizeof(s->label),
				       "task %u, %s tape, entry %zu: %s", tape->task, tape->name, j,
				       tape_label(tape, (uint32_t)j));
			tape->entries[j] =
				(struct pie_entry){ .op = PIE_OP_SYSCALL, .nr = NO_SUCH_CALL };
			s->struck = true;
			return;
		}
	}
}

static size_t count_fds(void)
{
	cleanup_dir DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	return n;
}

static void assert_nothing_left(const struct tree *t, size_t fds, const char *label)
{
	bool gone = kill(t->root, 0) < 0 && kill(t->child, 0) < 0;

	if (faccessat(t->images, GHOST, F_OK, 0) == 0)
		fail_msg("%s: the deleted file is there", label);
	if (!gone || waitpid(-1, NULL, WNOHANG) >= 0 || count_fds() != fds)
		fail_msg("%s: something is left", label);
}

static void every_entry_fails_once(void **state)
{
	const struct tree *t = *state;
	struct cryo_restore_opts opts = CRYO_RESTORE_OPTS_INIT;
	size_t fds = count_fds();
	size_t n = 0;

	opts.images_dir = t->images;
	for (;; n++) {
		struct strike s = { .number = n };
		struct error err = ERROR_INIT;
		pid_t pid = 0;
		int ret = restore_tampered(&opts, strike, &s, &pid, NULL, &err);

		if (!s.struck) {
			assert_int_equal(ret, 0);
			assert_int_equal(pid, t->root);
			break;
		}
		if (ret != -ENOSYS)
			fail_msg("%s: %d: %s", s.label, ret, err.text);
		if (!strstr(err.text, "task "))
			fail_msg("%s: the error names no task: %s", s.label, err.text);
		assert_nothing_left(t, fds, s.label);
		assert_true(n < ENTRIES_MAX);
	}
	assert_true(n > 100);
	assert_int_equal(kill(t->child, 0), 0);
	assert_int_equal(kill(t->root, SIGKILL), 0);
	assert_int_equal(kill(t->child, SIGKILL), 0);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_entry_fails_once, setup, teardown),
	};

	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
