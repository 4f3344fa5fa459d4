#include "runtime/submounts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/mountinfo.h"
#include "base/strv.h"
#include "runtime/spec.h"

/* The part of `path` below the folder, with its slash; NULL if it is not below. */
static const char *below(const char *path, const char *folder)
{
	size_t len = strcmp(folder, "/") ? strlen(folder) : 0;

	return !strncmp(path, folder, len) && path[len] == '/' && path[len + 1] ? path + len : NULL;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);
	size_t n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

/* Is it mounted out here as well, at that place of some folder? */
static bool is_outside(const struct mountinfo_table *own, const struct mountinfo *mount,
		       const char *rest)
{
	for (size_t i = 0; i < own->n; i++) {
		const struct mountinfo *m = &own->mounts[i];

		if (m->dev_major == mount->dev_major && m->dev_minor == mount->dev_minor &&
		    !strcmp(m->root, mount->root) && ends_with(m->mountpoint, rest))
			return true;
	}
	return false;
}

int submounts_for_dump(const struct spec_mount *m, const struct mountinfo *top,
		       const struct mountinfo_table *inside, struct strv *externals,
		       struct error *err)
{
	cleanup_mountinfo struct mountinfo_table own = MOUNTINFO_TABLE_INIT;
	int r = mountinfo_read_at(AT_FDCWD, "/proc/self/mountinfo", &own, err);

	for (size_t i = 0; r == 0 && i < inside->n; i++) {
		const struct mountinfo *mount = &inside->mounts[i];
		const char *rest = below(mount->mountpoint, top->mountpoint);

		if (rest && is_outside(&own, mount, rest))
			strv_addf(externals, "mnt[%s]:%s%s", mount->mountpoint, m->destination,
				  rest);
	}
	return r;
}

int submounts_for_restore(const struct spec_mount *m, const char *source, struct strv *externals,
			  struct error *err)
{
	cleanup_mountinfo struct mountinfo_table own = MOUNTINFO_TABLE_INIT;
	cleanup_free char *real = realpath(source, NULL);
	int r;

	if (!real)
		return 0; /* told where it is mounted */
	r = mountinfo_read_at(AT_FDCWD, "/proc/self/mountinfo", &own, err);
	for (size_t i = 0; r == 0 && i < own.n; i++) {
		const char *rest = below(own.mounts[i].mountpoint, real);

		if (rest)
			strv_addf(externals, "mnt[%s%s]:%s", m->destination, rest,
				  own.mounts[i].mountpoint);
	}
	return r;
}
