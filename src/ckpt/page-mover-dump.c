#include "ckpt/page-mover-dump.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crew.h"
#include "base/err.h"
#include "base/fd.h"
#include "trace/remote-mem.h"

#define CHUNK_SIZE ((size_t)1 << 20)
#define CHUNK_RUNS_MAX 512
#define PAGE ((uint64_t)4096)
#define CHUNKS_MAX 256 /* collected before they are copied */

/* Below that many chunks, waking others takes longer than copying. */
#define CHUNKS_ALONE 4

struct chunk {
	enum page_source source;
	size_t first_run;
	size_t n_runs;
	size_t len;
	uint64_t offset; /* in the pages file */
};

struct page_mover {
	struct crew *crew;
	char *buffers; /* CHUNK_SIZE for each worker */
	struct rmem_run *runs;
	size_t n_runs;
	size_t runs_size; /* allocated */
	struct chunk *chunks;
	size_t n_chunks;
	pid_t host_pid;
	int mem_fd;   /* of the task; -EBADF until needed; owned */
	bool runs_on; /* the task does */
	int pages_fd;
	uint64_t offset; /* where the next chunk begins */
	uint64_t ns;
};

struct page_mover *page_mover_new(void)
{
	struct page_mover *mover = calloc(1, sizeof(*mover));
	void *buffers = MAP_FAILED;

	if (!mover)
		return NULL;
	mover->mem_fd = -EBADF;
	mover->crew = crew_new();
	mover->chunks = calloc(CHUNKS_MAX, sizeof(*mover->chunks));
	if (mover->crew)
		buffers = mmap(NULL, CHUNK_SIZE * crew_size(mover->crew), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffers != MAP_FAILED)
		mover->buffers = buffers;
	if (!mover->chunks || !mover->buffers) {
		page_mover_free(mover);
		return NULL;
	}
	/* Its pages are there before anything is frozen; those of the others can wait. */
	memset(mover->buffers, 0, CHUNK_SIZE);
	return mover;
}

void page_mover_free(struct page_mover *mover)
{
	if (!mover)
		return;
	if (mover->buffers)
		(void)munmap(mover->buffers, CHUNK_SIZE * crew_size(mover->crew));
	crew_free(mover->crew);
	cleanup_fd_p(&mover->mem_fd);
	free(mover->runs);
	free(mover->chunks);
	free(mover);
}

void page_mover_begin(struct page_mover *mover, pid_t host_pid, bool runs, int pages_fd)
{
	cleanup_fd_p(&mover->mem_fd);
	mover->mem_fd = -EBADF;
	mover->host_pid = host_pid;
	mover->runs_on = runs;
	mover->pages_fd = pages_fd;
	mover->offset = 0;
	mover->n_runs = 0;
	mover->n_chunks = 0;
}

uint64_t page_mover_ns(const struct page_mover *mover)
{
	return mover->ns;
}

/* ---- copying ---- */

static int read_chunk(const struct page_mover *mover, const struct chunk *chunk, char *to,
		      struct error *err)
{
	const struct rmem_run *runs = &mover->runs[chunk->first_run];
	int r = 0;

	if (chunk->source == PAGE_SOURCE_READABLE)
		return rmem_read_runs(mover->host_pid, runs, chunk->n_runs, to, err);
	for (size_t i = 0; i < chunk->n_runs && r == 0; i++) {
		r = rmem_peek(mover->mem_fd, runs[i].start, to, runs[i].len, err);
		to += runs[i].len;
	}
	return r;
}

/* Page by page; what can't be read is not there any more. */
static void read_what_is_left(const struct page_mover *mover, const struct chunk *chunk, char *to)
{
	const struct rmem_run *run = &mover->runs[chunk->first_run];

	for (size_t i = 0; i < chunk->n_runs; i++, run++) {
		for (uint64_t done = 0; done < run->len; done += PAGE, to += PAGE) {
			struct raddr at = raddr_add(run->start, done);
			int r = chunk->source == PAGE_SOURCE_READABLE
					? rmem_read(mover->host_pid, at, to, PAGE, NULL)
					: rmem_peek(mover->mem_fd, at, to, PAGE, NULL);

			if (r < 0)
				memset(to, 0, PAGE);
		}
	}
}

static int copy_chunk(void *arg, unsigned int worker, size_t job, struct error *err)
{
	const struct page_mover *mover = arg;
	const struct chunk *chunk = &mover->chunks[job];
	char *buffer = mover->buffers + worker * CHUNK_SIZE;
	int r = read_chunk(mover, chunk, buffer, mover->runs_on ? NULL : err);

	if (r < 0 && mover->runs_on) {
		read_what_is_left(mover, chunk, buffer);
		r = 0;
	}
	if (r < 0)
		return r;
	r = fd_pwrite_all(mover->pages_fd, buffer, chunk->len, chunk->offset);
	return r < 0 ? err_set(err, r, "write pages: %s", strerror(-r)) : 0;
}

static int copy_all(struct page_mover *mover, struct error *err)
{
	uint64_t began = clock_mono_ns();
	int r = 0;

	if (mover->n_chunks > CHUNKS_ALONE)
		r = crew_run(mover->crew, mover->n_chunks, copy_chunk, mover, err);
	for (size_t i = 0; mover->n_chunks <= CHUNKS_ALONE && i < mover->n_chunks && r == 0; i++)
		r = copy_chunk(mover, 0, i, err);
	mover->n_chunks = 0;
	mover->n_runs = 0;
	mover->ns += clock_mono_ns() - began;
	return r;
}

/* ---- collecting ---- */

static bool has_room(const struct page_mover *mover, enum page_source source)
{
	const struct chunk *last = &mover->chunks[mover->n_chunks - 1];

	return mover->n_chunks && last->source == source && last->len < CHUNK_SIZE &&
	       last->n_runs < CHUNK_RUNS_MAX;
}

static int new_chunk(struct page_mover *mover, enum page_source source, struct error *err)
{
	int r = mover->n_chunks == CHUNKS_MAX ? copy_all(mover, err) : 0;

	if (r < 0)
		return r;
	mover->chunks[mover->n_chunks++] = (struct chunk){ .source = source,
							   .first_run = mover->n_runs,
							   .offset = mover->offset };
	return 0;
}

static int add_run(struct page_mover *mover, struct chunk *chunk, uint64_t start, size_t len,
		   struct error *err)
{
	if (mover->n_runs == mover->runs_size) {
		size_t size = mover->runs_size ? 2 * mover->runs_size : 1024;
		struct rmem_run *runs = reallocarray(mover->runs, size, sizeof(*runs));

		if (!runs)
			return err_oom(err);
		mover->runs = runs;
		mover->runs_size = size;
	}
	mover->runs[mover->n_runs++] = (struct rmem_run){ raddr_of(start), len };
	chunk->n_runs++;
	chunk->len += len;
	mover->offset += len;
	return 0;
}

int page_mover_add(struct page_mover *mover, enum page_source source, uint64_t start, uint64_t len,
		   struct error *err)
{
	if (source == PAGE_SOURCE_FORCED && mover->mem_fd < 0) {
		mover->mem_fd = rmem_open(mover->host_pid, err);
		if (mover->mem_fd < 0)
			return mover->mem_fd;
	}
	while (len) {
		struct chunk *chunk;
		size_t part;
		int r = has_room(mover, source) ? 0 : new_chunk(mover, source, err);

		if (r < 0)
			return r;
		chunk = &mover->chunks[mover->n_chunks - 1];
		part = CHUNK_SIZE - chunk->len;
		if (part > len)
			part = (size_t)len;
		r = add_run(mover, chunk, start, part, err);
		if (r < 0)
			return r;
		start += part;
		len -= part;
	}
	return 0;
}

int page_mover_end(struct page_mover *mover, struct error *err)
{
	int r = copy_all(mover, err);

	cleanup_fd_p(&mover->mem_fd);
	mover->mem_fd = -EBADF;
	return r;
}
