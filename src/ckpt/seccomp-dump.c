#include "ckpt/seccomp.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "img/pb/seccomp.pb-c.h"
#include "trace/regs.h"

#define CHAINS_LOOKED_AT 256 /* a tree with more different ones stores some twice */
#define FILTERS_MAX 4096     /* of one thread; the kernel's limit is 32768 instructions in all */

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

/* The filters of one thread, [0] being the one installed first. */
struct chain {
	SeccompFilter **filters;
	size_t n;
	size_t size; /* allocated */
};

static void chain_done(struct chain *chain)
{
	free(chain->filters);
}

#define cleanup_chain __attribute__((cleanup(chain_done)))

static int chain_add(struct chain *chain, SeccompFilter *filter, struct error *err)
{
	size_t size = chain->size ? 2 * chain->size : 8;
	SeccompFilter **more;

	if (chain->n == chain->size) {
		more = reallocarray(chain->filters, size, sizeof(*more));
		if (!more)
			return err_oom(err);
		chain->filters = more;
		chain->size = size;
	}
	chain->filters[chain->n++] = filter;
	return 0;
}

static int read_filters(struct dump *dump, const struct dump_thread *thread, struct chain *chain,
			struct error *err)
{
	for (;;) {
		struct regs_filter filter = { .insns = NULL };
		SeccompFilter *record;
		int r;

		r = regs_get_seccomp_filter(thread->host_tid, chain->n, &filter, err);
		if (r < 0)
			return err_wrap(err, r, "task %d: seccomp filter %zu", thread->host_tid,
					chain->n);
		if (r == 0)
			return 0;
		record = chain->n < FILTERS_MAX ? record_of(dump, &filter) : NULL;
		regs_filter_done(&filter);
		if (chain->n == FILTERS_MAX)
			return err_set(err, -EOPNOTSUPP, "task %d: more than %d seccomp filters",
				       thread->host_tid, FILTERS_MAX);
		r = record ? chain_add(chain, record, err) : err_oom(err);
		if (r < 0)
			return r;
	}
}

static bool same_filter(const SeccompFilter *a, const SeccompFilter *b)
{
	return a->filter.len == b->filter.len && a->flags == b->flags &&
	       memcmp(a->filter.data, b->filter.data, a->filter.len) == 0;
}

/* Is that the chain which begins with record `index`? */
static bool same_chain(const struct dump *dump, const struct chain *chain, uint32_t index)
{
	for (size_t i = 0;; i++) {
		const SeccompFilter *f = dump->seccomp[index];

		if (i == chain->n || !same_filter(f, chain->filters[i]))
			return false;
		if (!f->has_prev)
			return i + 1 == chain->n;
		index = f->prev;
	}
}

/* Threads of a process, and processes of a container, mostly have the same. The newest record
 * is the most likely one. */
static bool find_chain(const struct dump *dump, const struct chain *chain, uint32_t *ret_index)
{
	for (size_t tries = 0; tries < CHAINS_LOOKED_AT && tries < dump->n_seccomp; tries++) {
		uint32_t index = (uint32_t)(dump->n_seccomp - 1 - tries);

		if (same_chain(dump, chain, index)) {
			*ret_index = index;
			return true;
		}
	}
	return false;
}

static int record_chain(struct dump *dump, const struct chain *chain, struct error *err)
{
	for (size_t i = chain->n; i > 0; i--) {
		SeccompFilter *f = chain->filters[i - 1];
		int r;

		if (i < chain->n) {
			f->has_prev = true;
			f->prev = (uint32_t)dump->n_seccomp - 1;
		}
		r = append(dump, f, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int seccomp_collect(struct dump *dump, struct dump_thread *thread, const struct proc_status *status,
		    struct error *err)
{
	ThreadCoreEntry *core = thread->core->thread_core;
	cleanup_chain struct chain chain = { .n = 0 };
	uint32_t index = 0;
	int r;

	if (status->seccomp == SECCOMP_MODE_DISABLED)
		return 0;
	core->has_seccomp_mode = true;
	core->seccomp_mode = (SeccompMode)status->seccomp;
	if (status->seccomp != SECCOMP_MODE_FILTER)
		return 0;

	r = read_filters(dump, thread, &chain, err);
	if (r < 0)
		return r;
	if (chain.n && !find_chain(dump, &chain, &index)) {
		r = record_chain(dump, &chain, err);
		if (r < 0)
			return r;
		index = (uint32_t)dump->n_seccomp - 1;
	}
	core->has_seccomp_filter = chain.n > 0;
	core->seccomp_filter = index;
	return 0;
}

int seccomp_write(struct dump *dump, struct error *err)
{
	SeccompEntry entry = SECCOMP_ENTRY__INIT;

	entry.n_seccomp_filters = dump->n_seccomp;
	entry.seccomp_filters = dump->seccomp;
	return dump_image_one(dump, IMG_KIND_SECCOMP, 0, &entry.base, err);
}
