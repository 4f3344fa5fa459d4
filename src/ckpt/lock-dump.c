#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/lock.h"
#include "img/pb/file-lock.pb-c.h"

#define LOCK_LINE "lock:"

/* A word and the blanks behind it. */
static bool take_word(const char **p, const char *word)
{
	if (!scan_literal(p, word) || (**p != ' ' && **p != '\t'))
		return false;
	scan_blanks(p);
	return true;
}

static bool take_kind(const char **p, struct lock *lock)
{
	static const struct {
		const char *word;
		enum lock_kind kind;
		const char *name;
	} kinds[] = {
		{ "POSIX", LOCK_KIND_POSIX, "POSIX lock" },
		{ "FLOCK", LOCK_KIND_FLOCK, "flock" },
		{ "OFDLCK", LOCK_KIND_OFD, "open file description lock" },
		{ "LEASE", LOCK_KIND_LEASE, "lease" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (take_word(p, kinds[i].word)) {
			lock->kind = kinds[i].kind;
			lock->name = kinds[i].name;
			return true;
		}
	}
	return false;
}

static bool take_type(const char **p, struct lock *lock)
{
	if (take_word(p, "READ"))
		lock->type = F_RDLCK;
	else if (take_word(p, "WRITE"))
		lock->type = F_WRLCK;
	else if (take_word(p, "UNLCK"))
		lock->type = F_UNLCK;
	else
		return false;
	return true;
}

/* "	1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF" */
int lock_parse(const char *line, struct lock *ret, struct error *err)
{
	struct lock lock = { .type = F_UNLCK };
	const char *p = line;
	uint64_t number;
	int64_t end, pid;

	scan_blanks(&p);
	if (!scan_u64(&p, 10, &number) || !scan_literal(&p, ":"))
		goto strange;
	scan_blanks(&p);
	if (!take_kind(&p, &lock)) {
		return err_set(err, -EOPNOTSUPP, "a lock of a kind that can't be saved: '%.*s'",
			       (int)strcspn(line, "\n"), line);
	}
	lock.breaking = take_word(&p, "BREAKING");
	if (!lock.breaking && !take_word(&p, "ACTIVE") && !take_word(&p, "ADVISORY"))
		goto strange;
	if (!take_type(&p, &lock) || !scan_i64(&p, &pid))
		goto strange;
	scan_blanks(&p);
	if (!scan_u64(&p, 16, &number) || !scan_literal(&p, ":") || !scan_u64(&p, 16, &number) ||
	    !scan_literal(&p, ":") || !scan_u64(&p, 10, &number))
		goto strange;
	scan_blanks(&p);
	if (!scan_i64(&p, &lock.start))
		goto strange;
	scan_blanks(&p);
	if (!scan_literal(&p, "EOF")) {
		if (!scan_i64(&p, &end) || end < lock.start)
			goto strange;
		lock.len = end - lock.start + 1;
	}
	*ret = lock;
	return 0;
strange:
	return err_set(err, -EBADMSG, "strange line about a lock: '%.*s'", (int)strcspn(line, "\n"),
		       line);
}

int lock_check(const struct cryo_dump_opts *opts, const char *where, const char *link,
	       const char *fdinfo, struct error *err)
{
	const char *line = scan_find_line(fdinfo, LOCK_LINE);
	struct lock lock;
	int r;

	if (!line)
		return 0;
	r = lock_parse(line, &lock, err);
	if (r < 0)
		return err_wrap(err, r, "%s: file '%s'", where, link);
	if (opts->file_locks)
		return 0;
	r = err_set(err, -EOPNOTSUPP, "%s: file '%s' is locked by the tree (%s)", where, link,
		    lock.name);
	err_hint(err, "--file-locks on dump and restore carries locks over; nobody else may take "
		      "them in between");
	return r;
}

/* ------------------------------------------------------------------- records */

/* A process and a description: both are dumped once, but dup(2) shows them often. */
struct seen {
	pid_t host_pid;
	uint32_t file;
};

static int by_seen(const void *a, const void *b)
{
	const struct seen *x = a;
	const struct seen *y = b;

	if (x->host_pid != y->host_pid)
		return x->host_pid < y->host_pid ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

/* 1: the POSIX locks this process took through it were not saved yet. */
static int claim(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	struct seen wanted = { .host_pid = fd->task->host_pid, .file = fd->id };
	struct seen *key = arena_memdup(&dump->arena, &wanted, sizeof(wanted));
	void *found = key ? tsearch(key, &dump->locks_seen, by_seen) : NULL;

	if (!found)
		return err_oom(err);
	return *(struct seen **)found == key;
}

/* The line of a breaking lease tells the kind it will become; so does F_GETLEASE. */
static int write_lock(struct dump *dump, const struct dump_fd *fd, const struct lock *lock,
		      struct error *err)
{
	FileLockEntry entry = FILE_LOCK_ENTRY__INIT;

	if (dump->locks.fd < 0) {
		int r = dump_image_create(dump, &dump->locks, IMG_KIND_FILELOCKS, 0, err);

		if (r < 0)
			return r;
	}
	entry.flag = lock->kind;
	entry.type = lock->type | (lock->breaking ? LOCK_LEASE_BREAKING : 0);
	entry.pid = fd->task->ns_pid;
	entry.fd = fd->number;
	entry.start = lock->start;
	entry.len = lock->len;
	return image_write(&dump->locks, &entry.base, err);
}

int lock_dump(struct dump *dump, const struct dump_fd *fd, bool first, struct error *err)
{
	const char *line = scan_find_line(fd->fdinfo, LOCK_LINE);
	int own;
	int r;

	if (!line)
		return 0;
	r = lock_check(dump->opts, fd->look.where, fd->look.link, fd->fdinfo, err);
	if (r < 0)
		return r;
	own = claim(dump, fd, err);
	if (own < 0)
		return own;
	for (; line && r == 0; line = scan_find_line(scan_next_line(line), LOCK_LINE)) {
		struct lock lock;

		r = lock_parse(line, &lock, err);
		if (r < 0)
			return err_wrap(err, r, "%s: file '%s'", fd->look.where, fd->look.link);
		if (lock.kind == LOCK_KIND_POSIX ? own : first)
			r = write_lock(dump, fd, &lock, err);
	}
	return r;
}

static void keep(void *node UNUSED)
{
}

void locks_dump_done(struct dump *dump)
{
	tdestroy(dump->locks_seen, keep);
	dump->locks_seen = NULL;
	image_done(&dump->locks);
}
