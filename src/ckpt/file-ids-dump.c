#include "ckpt/file-ids.h"

#include <linux/kcmp.h>
#include <search.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

struct file_id {
	struct dump_file_ids *owner; /* borrowed */
	uint64_t dev;
	uint64_t ino;
	uint32_t mode;
	uint32_t id;
	pid_t host_pid; /* 0: not a descriptor */
	int number;
	int mnt_id;
	uint32_t flags;
	bool dumped; /* a record is written for it */
};

struct dump_file_ids {
	void *tree; /* tsearch(3), of struct file_id */
	uint32_t next;
	int failed; /* errno of a kcmp that failed during a look-up */
};

int file_ids_new(struct dump_file_ids **ret, struct error *err)
{
	struct dump_file_ids *ids = calloc(1, sizeof(*ids));

	if (!ids)
		return err_oom(err);
	ids->next = 1;
	*ret = ids;
	return 0;
}

void file_ids_free(struct dump_file_ids *ids)
{
	if (!ids)
		return;
	tdestroy(ids->tree, free);
	free(ids);
}

#define ORDER(a, b) ((a) < (b) ? -1 : (a) > (b))

static int compare(const void *pa, const void *pb)
{
	const struct file_id *a = pa;
	const struct file_id *b = pb;
	long r;

	if (a->ino != b->ino)
		return ORDER(a->ino, b->ino);
	if (a->dev != b->dev)
		return ORDER(a->dev, b->dev);
	if (a->mode != b->mode)
		return ORDER(a->mode, b->mode);
	if (!a->host_pid || !b->host_pid) {
		if (!a->host_pid != !b->host_pid)
			return a->host_pid ? 1 : -1;
		if (a->mnt_id != b->mnt_id)
			return ORDER(a->mnt_id, b->mnt_id);
		return ORDER(a->flags, b->flags);
	}
	r = syscall(SYS_kcmp, a->host_pid, b->host_pid, KCMP_FILE, a->number, b->number);
	if (r < 0 || r > 2) {
		a->owner->failed = r < 0 ? errno : EPROTO;
		return 0;
	}
	return r == 0 ? 0 : r == 1 ? -1 : 1;
}

/* *ret_seen: the one in the tree. 1: it is new. */
static int get(struct dump_file_ids *ids, const struct file_id *wanted, struct file_id **ret_seen,
	       struct error *err)
{
	struct file_id *id = malloc(sizeof(*id));
	struct file_id *const *found;

	if (!id)
		return err_oom(err);
	*id = *wanted;
	id->owner = ids;
	found = tsearch(id, &ids->tree, compare);
	if (!found) {
		free(id);
		return err_oom(err);
	}
	if (*found == id) {
		id->id = ids->next++;
		*ret_seen = id;
		return 1;
	}
	free(id);
	if (ids->failed)
		return err_set(err, -ids->failed, "compare descriptors of task %d",
			       wanted->host_pid);
	*ret_seen = *found;
	return 0;
}

/* 1: its record is the caller's to write. */
static int claim(struct dump_file_ids *ids, const struct file_id *wanted, uint32_t *ret_id,
		 struct error *err)
{
	struct file_id *seen = NULL;
	int r = get(ids, wanted, &seen, err);

	if (r < 0)
		return r;
	r = !seen->dumped;
	seen->dumped = true;
	*ret_id = seen->id;
	return r;
}

int file_ids_get_passed(struct dump_file_ids *ids, int fd, const struct stat *st, uint32_t *ret_id,
			const bool **ret_dumped, struct error *err)
{
	struct file_id wanted = {
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mode = st->st_mode,
		.host_pid = getpid(),
		.number = fd,
	};
	struct file_id *seen = NULL;
	int r = get(ids, &wanted, &seen, err);

	if (r < 0)
		return r;
	*ret_id = seen->id;
	*ret_dumped = &seen->dumped;
	return r;
}

int file_ids_get(struct dump_file_ids *ids, pid_t host_pid, int number, const struct stat *st,
		 uint32_t *ret_id, struct error *err)
{
	struct file_id wanted = {
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mode = st->st_mode,
		.host_pid = host_pid,
		.number = number,
	};

	return claim(ids, &wanted, ret_id, err);
}

uint32_t file_ids_next(struct dump_file_ids *ids)
{
	return ids->next++;
}

int file_ids_get_plain(struct dump_file_ids *ids, const struct stat *st, int mnt_id, uint32_t flags,
		       uint32_t *ret_id, struct error *err)
{
	struct file_id wanted = {
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mode = st->st_mode,
		.mnt_id = mnt_id,
		.flags = flags,
	};

	return claim(ids, &wanted, ret_id, err);
}
