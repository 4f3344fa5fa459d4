/*
 * export: a checkpoint as one archive that another host can restore.
 *
 * The layout is Podman's: config.dump, spec.dump, network.status, the log, the
 * images, what changed in the root, the volumes, stats-dump. It is written while
 * the container stands still, so all of it is of one moment; and if it can't
 * be written, the container goes on as if nothing had been.
 *
 *	r = export_open(&options, container, &export, err);
 *	r = export_write(export, pod, container, err);		(the container stands still)
 *	r = export_finish(export, err);				(it is gone, or runs on)
 *
 * The file gets its name when it is complete; until then it has none and goes with us (on
 * a file system that has no such files it has a temporary one beside it).
 */
#pragma once

#include <stdbool.h>

struct container;
struct error;
struct export;
struct pod;

struct export_options {
	const char *file;     /* "-": standard output */
	const char *compress; /* "zstd" (NULL), "gzip", "none"; case does not matter */
	bool ignore_rootfs;
	bool ignore_volumes;
};

/* Refused before anything stands still: what can't be exported, where nothing can be written. */
int export_open(const struct export_options *o, const struct container *c,
		struct export **ret_export, struct error *err);
int export_write(struct export *x, const struct pod *pod, const struct container *c,
		 struct error *err);
int export_finish(struct export *x, struct error *err);

/* NULL is allowed. */
void export_free(struct export *x);

static inline void export_free_p(struct export **x)
{
	export_free(*x);
}

#define cleanup_export __attribute__((cleanup(export_free_p)))

/* -EINVAL, in Podman's words: no such compression. NULL is fine. */
int export_check_compress(const char *word, struct error *err);
