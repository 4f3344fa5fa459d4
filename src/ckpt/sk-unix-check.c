#include "ckpt/sk-unix-check.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "ckpt/unix-diag.h"

int unix_check_add(struct unix_check *check, uint32_t ino, pid_t host_pid, int number,
		   struct error *err)
{
	if (check->n == check->size) {
		size_t size = check->size ? 2 * check->size : 64;
		struct unix_seen *more = reallocarray(check->seen, size, sizeof(*more));

		if (!more)
			return err_oom(err);
		check->seen = more;
		check->size = size;
	}
	check->seen[check->n++] =
		(struct unix_seen){ .ino = ino, .host_pid = host_pid, .number = number };
	return 0;
}

static int by_ino(const void *a, const void *b)
{
	uint32_t x = ((const struct unix_seen *)a)->ino;
	uint32_t y = ((const struct unix_seen *)b)->ino;

	return x < y ? -1 : x > y;
}

int unix_check_peers(struct unix_check *check, pid_t root,
		     int (*found)(void *arg, int r, const struct error *err), void *arg,
		     struct error *err)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	struct unix_diags diags = { NULL };
	int r;

	if (!check->n)
		return 0;
	qsort(check->seen, check->n, sizeof(*check->seen), by_ino);
	r = unix_diag_load(root, &arena, &diags, err);
	for (size_t i = 0; i < check->n && r == 0; i++) {
		const struct unix_seen *seen = &check->seen[i];
		const struct unix_diag *diag = unix_diag_find(&diags, seen->ino);
		struct unix_seen peer = { .ino = diag ? diag->peer : 0 };
		struct error own = ERROR_INIT;

		if (!peer.ino || (i && seen[-1].ino == seen->ino) ||
		    bsearch(&peer, check->seen, check->n, sizeof(peer), by_ino))
			continue;
		/* A process that the walk missed, or one outside: gone meanwhile, it is none. */
		if (!unix_diag_find(&diags, peer.ino))
			continue;
		r = err_set(&own, -EOPNOTSUPP,
			    "task %d: fd %d: unix socket: its other end, inode %u, does not "
			    "belong to the tree",
			    seen->host_pid, seen->number, peer.ino);
		err_hint(&own, "end the connection before the checkpoint; 'ss -xp' tells whose it "
			       "is");
		r = found(arg, r, &own);
	}
	unix_diags_done(&diags);
	return r;
}

void unix_check_done(struct unix_check *check)
{
	free(check->seen);
	*check = (struct unix_check){ NULL };
}
