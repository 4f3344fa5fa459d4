#include "ckpt/seccomp.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "img/pb/seccomp.pb-c.h"
#include "trace/regs.h"

#define FILTERS_MAX 4096 /* of one thread; the kernel's limit is 32768 instructions in all */

/* Grows by doubling inside the arena: old copies die with it. */
static int append(struct dump *dump, SeccompFilter *filter, struct error *err)
{
	size_t size = dump->seccomp_size ? dump->seccomp_size * 2 : 16;
	SeccompFilter **more;

	if (dump->n_seccomp == dump->seccomp_size) {
		more = arena_new_array(&dump->arena, SeccompFilter *, size);
		if (!more)
			return err_oom(err);
		if (dump->n_seccomp)
			memcpy(more, dump->seccomp, dump->n_seccomp * sizeof(*more));
		dump->seccomp = more;
		dump->seccomp_size = size;
	}
	dump->seccomp[dump->n_seccomp++] = filter;
	return 0;
}

static SeccompFilter *record_of(struct dump *dump, const struct regs_filter *filter)
{
	SeccompFilter *record = arena_new(&dump->arena, SeccompFilter);

	if (!record)
		return NULL;
	seccomp_filter__init(record);
	record->filter.len = filter->n * sizeof(*filter->insns);
	record->filter.data = arena_memdup(&dump->arena, filter->insns, record->filter.len);
	record->has_flags = true;
	record->flags = (uint32_t)filter->flags;
	return record->filter.data ? record : NULL;
}

/* ret[0] is the one installed first. */
static int read_filters(struct dump *dump, const struct dump_thread *thread,
			SeccompFilter *ret[FILTERS_MAX], size_t *ret_n, struct error *err)
{
	size_t n = 0;
	int r;

	for (;;) {
		struct regs_filter filter = { .insns = NULL };

		r = regs_get_seccomp_filter(thread->host_tid, n, &filter, err);
		if (r < 0)
			return err_wrap(err, r, "task %d: seccomp filter %zu", thread->host_tid, n);
		if (r == 0)
			break;
		if (n == FILTERS_MAX) {
			regs_filter_done(&filter);
			return err_set(err, -EOPNOTSUPP, "task %d: more than %d seccomp filters",
				       thread->host_tid, FILTERS_MAX);
		}
		ret[n] = record_of(dump, &filter);
		regs_filter_done(&filter);
		if (!ret[n])
			return err_oom(err);
		n++;
	}
	*ret_n = n;
	return 0;
}

int seccomp_collect(struct dump *dump, struct dump_thread *thread, const struct proc_status *status,
		    struct error *err)
{
	ThreadCoreEntry *core = thread->core->thread_core;
	cleanup_free SeccompFilter **filters = NULL;
	size_t n = 0;
	int r;

	if (status->seccomp == SECCOMP_MODE_DISABLED)
		return 0;
	core->has_seccomp_mode = true;
	core->seccomp_mode = (SeccompMode)status->seccomp;
	if (status->seccomp != SECCOMP_MODE_FILTER)
		return 0;

	filters = calloc(FILTERS_MAX, sizeof(*filters));
	if (!filters)
		return err_oom(err);
	r = read_filters(dump, thread, filters, &n, err);
	if (r < 0)
		return r;
	for (size_t i = n; i > 0; i--) {
		if (i < n) {
			filters[i - 1]->has_prev = true;
			filters[i - 1]->prev = (uint32_t)dump->n_seccomp - 1;
		}
		r = append(dump, filters[i - 1], err);
		if (r < 0)
			return r;
	}
	core->has_seccomp_filter = n > 0;
	core->seccomp_filter = n > 0 ? (uint32_t)dump->n_seccomp - 1 : 0;
	return 0;
}

int seccomp_write(struct dump *dump, struct error *err)
{
	SeccompEntry entry = SECCOMP_ENTRY__INIT;

	entry.n_seccomp_filters = dump->n_seccomp;
	entry.seccomp_filters = dump->seccomp;
	return dump_image_one(dump, IMG_KIND_SECCOMP, 0, &entry.base, err);
}
