/*
 * mount-options: the words of an OCI mount ("rbind", "ro", "size=64k") sorted
 * by who takes them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;

struct mount_options {
	bool bind;
	bool recursive_bind;
	bool remount;
	bool copy_up; /* tmpcopyup: the tmpfs begins with what it covers */
	bool id_mapped;
	unsigned long flags;	   /* MS_... of the mount */
	unsigned long cleared;	   /* MS_... that were asked to be off */
	unsigned long propagation; /* MS_PRIVATE, ... | MS_REC; 0: not given */
	uint64_t attr_set;	   /* MOUNT_ATTR_..., recursive ones ("rro") */
	uint64_t attr_clear;
	const char *data; /* what is left, for the file system; NULL: nothing */
};

/* `words` is NULL-terminated, or NULL. `data` lives in the arena. */
int mount_options_parse(char *const *words, struct arena *arena, struct mount_options *ret,
			struct error *err);

/* The words that are understood, one after the other; NULL behind the last. */
const char *mount_options_word(size_t i);
