#include "runtime/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "runtime/container.h"

static int read_config(int dir, struct bundle *bundle, struct error *err)
{
	json_t *json = NULL;
	int r;

	r = file_read_at(dir, CONTAINER_CONFIG, SPEC_SIZE_MAX, &bundle->text, &bundle->text_len,
			 err);
	if (r >= 0)
		r = json_parse(CONTAINER_CONFIG, bundle->text, bundle->text_len, &json, err);
	if (r < 0)
		return r;
	r = spec_from_json_consume(json, &bundle->spec, err);
	if (r < 0)
		return err_wrap(err, r, CONTAINER_CONFIG);
	return 0;
}

static int find_rootfs(struct bundle *bundle, struct error *err)
{
	const char *path = bundle->spec.root_path;
	cleanup_free char *full = NULL;
	struct stat st;

	if (asprintf(&full, "%s%s%s", path[0] == '/' ? "" : bundle->path, path[0] == '/' ? "" : "/",
		     path) < 0) {
		full = NULL;
		return err_oom(err);
	}
	bundle->rootfs = realpath(full, NULL);
	if (!bundle->rootfs || stat(bundle->rootfs, &st) < 0)
		return err_sys(err, "root file system '%s'", full);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "root file system '%s' is not a folder", full);
	if (strcmp(bundle->rootfs, "/") == 0)
		return err_set(err, -EINVAL, "root.path: the host's own root can't be used");
	return 0;
}

int bundle_open(const char *folder, struct bundle *ret, struct error *err)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_fd int dir = -EBADF;
	int r;

	bundle.path = realpath(folder && *folder ? folder : ".", NULL);
	if (!bundle.path)
		return err_sys(err, "bundle '%s'", folder && *folder ? folder : ".");
	dir = open(bundle.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "open bundle '%s'", bundle.path);
	r = read_config(dir, &bundle, err);
	if (r < 0)
		return err_wrap(err, r, "bundle '%s'", bundle.path);
	r = find_rootfs(&bundle, err);
	if (r < 0)
		return r;
	*ret = bundle;
	bundle = (struct bundle)BUNDLE_INIT;
	return 0;
}

int bundle_describe(const struct bundle *bundle, struct container *c, struct error *err)
{
	char when[64];
	char created[96];
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* can't fail with this clock */
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(created, sizeof(created), "%s.%09ldZ", when, now.tv_nsec);
	c->created = arena_strdup(&c->arena, created);
	c->bundle = arena_strdup(&c->arena, bundle->path);
	c->rootfs = arena_strdup(&c->arena, bundle->rootfs);
	c->oci_version = arena_strdup(&c->arena, bundle->spec.oci_version);
	c->owner = geteuid();
	c->annotations = json_incref(bundle->spec.annotations);
	return arena_ok(&c->arena) ? 0 : err_oom(err);
}

void bundle_done(struct bundle *bundle)
{
	int saved = errno;

	free(bundle->path);
	free(bundle->rootfs);
	free(bundle->text);
	spec_done(&bundle->spec);
	*bundle = (struct bundle)BUNDLE_INIT;
	errno = saved;
}
