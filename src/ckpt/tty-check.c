#include "ckpt/tty-check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scan.h"
#include "ckpt/fd-kind.h"
#include "ckpt/tty.h"
#include "cryo/dump.h"

#define DELETED " (deleted)"
#define FDINFO_MAX 65536

/* Refuses what no pty is. One that was named on the command line may be anything. */
static bool is_external(const struct cryo_dump_opts *opts, const struct fd_look *look)
{
	char key[TTY_KEY_MAX];
	size_t len = strlen(tty_key(look->st.st_rdev, look->st.st_dev, key));

	for (char *const *word = opts->externals; word && *word; word++)
		if (strncmp(*word, key, len) == 0 && (!(*word)[len] || (*word)[len] == ':'))
			return true;
	return false;
}

int tty_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err)
{
	static const char *const names[] = {
		[TTY_CONSOLE] = "the console of this machine",
		[TTY_VIRTUAL] = "a virtual terminal of this machine",
		[TTY_SERIAL] = "a serial line",
		[TTY_OTHER] = "a terminal of this machine",
	};
	enum tty_what what = tty_what(look->st.st_rdev);
	char key[TTY_KEY_MAX];
	int r;

	if (what == TTY_MASTER || what == TTY_SLAVE || what == TTY_OWN || is_external(opts, look))
		return 0;
	r = err_set(err, -EOPNOTSUPP, "%s: '%s' is %s: it can't be saved", look->where, look->link,
		    names[what]);
	(void)tty_key(look->st.st_rdev, look->st.st_dev, key);
	err_hint(err,
		 "--external '%s' keeps it outside; give it back on restore with --inherit-fd "
		 "'fd[N]:%s'",
		 key, key);
	return r;
}

/* -ENOENT: the descriptor is gone. */
static int master_index(pid_t host_pid, int number, uint32_t *ret, struct error *err)
{
	cleanup_free char *text = NULL;
	const char *line;
	char path[64];
	size_t len;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", host_pid, number); /* fits */
	r = file_read_at(AT_FDCWD, path, FDINFO_MAX, &text, &len, err);
	if (r < 0)
		return r;
	line = scan_find_line(text, "tty-index:");
	if (line)
		scan_blanks(&line);
	return line && scan_u32(&line, 10, ret)
		       ? 0
		       : err_set(err, -EBADMSG, "'%s' tells no number of the terminal", path);
}

static bool is_hung(const struct fd_look *look)
{
	size_t len = strlen(look->link);

	return len > strlen(DELETED) && !strcmp(look->link + len - strlen(DELETED), DELETED);
}

int tty_check_add(struct tty_check *check, const struct cryo_dump_opts *opts,
		  const struct fd_look *look, pid_t host_pid, int number, struct error *err)
{
	enum tty_what what = S_ISCHR(look->st.st_mode) ? tty_what(look->st.st_rdev) : TTY_NONE;
	struct tty_seen seen = { .host_pid = host_pid, .number = number };

	if ((what != TTY_MASTER && what != TTY_SLAVE) || is_external(opts, look) || is_hung(look))
		return 0;
	seen.master = what == TTY_MASTER;
	seen.index = minor(look->st.st_rdev);
	if (seen.master) {
		int r = master_index(host_pid, number, &seen.index, err);

		if (r < 0)
			return r;
	}
	if (check->n == check->size) {
		size_t size = check->size ? 2 * check->size : 16;
		struct tty_seen *more = reallocarray(check->seen, size, sizeof(*more));

		if (!more)
			return err_oom(err);
		check->seen = more;
		check->size = size;
	}
	seen.link = strdup(look->link);
	if (!seen.link)
		return err_oom(err);
	check->seen[check->n++] = seen;
	return 0;
}

static bool has_master(const struct tty_check *check, uint32_t index)
{
	for (size_t i = 0; i < check->n; i++)
		if (check->seen[i].master && check->seen[i].index == index)
			return true;
	return false;
}

static bool was_told(const struct tty_check *check, size_t upto)
{
	for (size_t i = 0; i < upto; i++)
		if (!check->seen[i].master && check->seen[i].index == check->seen[upto].index)
			return true;
	return false;
}

int tty_check_ends(struct tty_check *check, const struct cryo_dump_opts *opts,
		   int (*found)(void *arg, int r, const struct error *err), void *arg)
{
	for (size_t i = 0; i < check->n; i++) {
		const struct tty_seen *seen = &check->seen[i];
		struct error own = ERROR_INIT;
		int r;

		if (seen->master || opts->shell_job || opts->orphan_pts_master ||
		    has_master(check, seen->index) || was_told(check, i))
			continue;
		r = err_set(&own, -EOPNOTSUPP,
			    "task %d: fd %d: terminal '%s': its other end is outside of the tree",
			    seen->host_pid, seen->number, seen->link);
		err_hint(&own,
			 "if it was started from a shell, use --shell-job on dump and restore");
		r = found(arg, r, &own);
		if (r < 0)
			return r;
	}
	return 0;
}

void tty_check_done(struct tty_check *check)
{
	for (size_t i = 0; i < check->n; i++)
		free(check->seen[i].link);
	free(check->seen);
	*check = (struct tty_check){ NULL };
}
