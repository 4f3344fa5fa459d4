/*
 * submounts: mounts below a recursive bind mount (a volume with mounts of its
 * own) come from outside like the volume. What the container has mounted there
 * itself does not.
 */
#pragma once

struct error;
struct mountinfo;
struct mountinfo_table;
struct spec_mount;
struct strv;

/* `top` is the container's mount of `m`, `inside` its table. Adds words for --external. */
int submounts_for_dump(const struct spec_mount *m, const struct mountinfo *top,
		       const struct mountinfo_table *inside, struct strv *externals,
		       struct error *err);
/* The same keys with the places outside; `source` is where `m` comes from. */
int submounts_for_restore(const struct spec_mount *m, const char *source, struct strv *externals,
			  struct error *err);
