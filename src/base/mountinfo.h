/*
 * mountinfo: the table of mounts that /proc/PID/mountinfo shows.
 *
 * Fields are as proc(5) names them, with the octal escapes (\040) undone.
 * All strings live in the table's arena. The text comes from the kernel, but
 * paths in it come from anybody: the parser takes any bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct error;

struct mountinfo {
	int id;
	int parent_id;
	unsigned int dev_major;
	unsigned int dev_minor;
	const char *root;	/* within the file system */
	const char *mountpoint; /* as the reader's root shows it */
	const char *options;	/* per mount: "rw,nosuid" */
	unsigned int shared;	/* peer group, 0: none */
	unsigned int master;
	unsigned int propagate_from;
	bool unbindable;
	const char *fstype;
	const char *source;
	const char *super_options;
};

struct mountinfo_table {
	struct arena arena;
	struct mountinfo *mounts;
	size_t n;
};

#define MOUNTINFO_TABLE_INIT                                                                       \
	{                                                                                          \
		.arena = ARENA_INIT                                                                \
	}

/* `text` needs a zero byte behind it and is not kept. -EBADMSG names the line. */
int mountinfo_parse(const char *text, struct mountinfo_table *ret, struct error *err);

/* Of a process: "mountinfo" in an open /proc/PID, or AT_FDCWD and a path. */
int mountinfo_read_at(int proc_dir, const char *name, struct mountinfo_table *ret,
		      struct error *err);

const struct mountinfo *mountinfo_by_id(const struct mountinfo_table *table, int id);

void mountinfo_table_done(struct mountinfo_table *table);

#define cleanup_mountinfo __attribute__((cleanup(mountinfo_table_done)))
