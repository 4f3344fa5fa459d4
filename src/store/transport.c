#include "store/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "store/add.h"
#include "store/archive-list.h"
#include "store/change.h"
#include "store/docker-manifest.h"
#include "store/image.h"
#include "store/index.h"
#include "store/name.h"
#include "store/skopeo.h"
#include "store/store-priv.h"
#include "store/tar-stream.h"

/* One call of image_pull or image_load. */
struct pull {
	struct store *store;
	const struct pull_options *options;
	struct strv *ids;
	struct strv *names; /* NULL: not asked for */
};

static void say(const struct pull *pull, const char *words, const char *name)
{
	if (pull->options->progress_fd >= 0)
		(void)dprintf(pull->options->progress_fd, "%s %s...\n", words, name);
}

static int add_result(struct strv *list, const char *text, struct error *err)
{
	if (!strv_contains(list, text))
		strv_add(list, text);
	return strv_ok(list) ? 0 : err_oom(err);
}

/* What skopeo left in the work's layout becomes an image, with all of its names. */
static int add_copied(const struct pull *pull, struct work *work, const struct digest *manifest,
		      const struct strv *names, const char *source_digest, struct error *err)
{
	struct new_image image = { .manifest = *manifest, .source_digest = source_digest };
	cleanup_fd int blobs_fd = -EBADF;
	char id[IMAGE_ID_SIZE];
	int r;

	r = skopeo_blobs(work, &blobs_fd, err);
	if (r < 0)
		return r;
	image.blobs_fd = blobs_fd;
	image.name = names->n > 0 ? names->items[0] : NULL;
	r = image_add(work, &image, id, err);
	for (size_t i = 1; r == 0 && i < names->n; i++)
		r = image_tag(pull->store, id, names->items[i], err);
	if (r == 0)
		r = add_result(pull->ids, id, err);
	for (size_t i = 0; r == 0 && pull->names && i < names->n; i++)
		r = add_result(pull->names, names->items[i], err);
	return r;
}

/* --- registries -------------------------------------------------------------------- */

/*
 * 1: the registry's image is here already, whole, and has the name now.
 * A machine that was asked for may be another one's: then it is fetched.
 */
static int have_already(const struct pull *pull, const char *digest, const char *name,
			struct error *err)
{
	const struct pull_options *o = pull->options;
	cleanup_image struct image *image = NULL;
	int r;

	if (o->os || o->arch || o->variant)
		return 0;
	if (image_find(pull->store, digest, &image, NULL) < 0 || strcmp(image->digest, digest) != 0)
		return 0;
	if (!strv_contains(&image->names, name) && !strchr(name, '@')) {
		r = image_tag(pull->store, image->id, name, err);
		if (r < 0)
			return r;
	}
	r = add_result(pull->ids, image->id, err);
	return r < 0 ? r : 1;
}

/* A name with a digest instead of a tag does not become a name of the image. */
static int pull_pinned(const struct pull *pull, const char *name, const struct digest *digest,
		       enum skopeo_into into, struct error *err)
{
	cleanup_work struct work work = WORK_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *reference = NULL;
	struct digest manifest = DIGEST_INIT;
	size_t len;
	int r;

	(void)name_split_tag(name, &len);
	if (strchr(name, '@'))
		len = strcspn(name, "@");
	if (asprintf(&reference, "docker://%.*s@%s", (int)len, name, digest->text) < 0) {
		reference = NULL;
		return err_oom(err);
	}
	if (!strchr(name, '@'))
		strv_add(&names, name);
	r = strv_ok(&names) ? work_begin(pull->store, &work, err) : err_oom(err);
	if (r == 0)
		r = skopeo_copy(&work, reference, into, pull->options, &manifest, err);
	return r < 0 ? r : add_copied(pull, &work, &manifest, &names, digest->text, err);
}

static int pull_full_name(const struct pull *pull, const char *name, struct error *err)
{
	cleanup_buf struct buf raw = BUF_INIT;
	cleanup_free char *reference = NULL;
	struct digest digest;
	int r;

	if (asprintf(&reference, "docker://%s", name) < 0) {
		reference = NULL;
		return err_oom(err);
	}
	say(pull, "Trying to pull", name);
	r = skopeo_raw_manifest(reference, pull->options, &raw, err);
	if (r < 0)
		return r;
	digest_of(buf_str(&raw), raw.len, &digest);
	r = have_already(pull, digest.text, name, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return pull_pinned(pull, name, &digest,
			   docker_manifest_is(buf_str(&raw), raw.len) ? SKOPEO_FOLDER : SKOPEO_OCI,
			   err);
}

static int pull_registry(const struct pull *pull, const char *typed, struct error *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_buf struct buf failures = BUF_INIT;
	struct error why = ERROR_INIT;
	int r;

	r = name_sources(typed, &names, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < names.n; i++) {
		r = pull_full_name(pull, names.items[i], &why);
		if (r == 0)
			return 0;
		if (r != -EIO) /* not the registry's answer: the next one would fail the same way */
			break;
		buf_addf(&failures, "\n\t* %s", why.text);
	}
	if (names.n == 1 || r != -EIO) {
		(void)err_set(err, r, "%s", why.text);
		if (why.hint[0])
			err_hint(err, "%s", why.hint);
		return r;
	}
	return err_set(err, r, "%zu errors occurred while pulling:%s", names.n, buf_str(&failures));
}

/* --- files ---------------------------------------------------------------------------- */

/* skopeo runs elsewhere: a relative path must not depend on that. */
static int absolute(const char *path, char **ret, struct error *err)
{
	cleanup_free char *here = NULL;

	if (path[0] == '/') {
		*ret = strdup(path);
		return *ret ? 0 : err_oom(err);
	}
	here = getcwd(NULL, 0);
	if (!here)
		return err_sys(err, "current folder");
	if (asprintf(ret, "%s/%s", here, path) < 0)
		return err_oom(err);
	return 0;
}

/* docker-archive's names are Docker Hub's, if they are short; others' are local. */
static int full_names(const struct archive_list *list, const struct strv *names, struct strv *ret,
		      struct error *err)
{
	for (size_t i = 0; i < names->n; i++) {
		cleanup_name struct name name = NAME_INIT;
		cleanup_free char *text = NULL;
		int r;

		r = name_parse(names->items[i], &name, err);
		if (r == 0 && (name.has_domain || list->kind == ARCHIVE_OCI))
			r = name_make_local(names->items[i], &text, err);
		else if (r == 0 && asprintf(&text, "docker.io/%s%s:%s",
					    strchr(name.repository, '/') ? "" : "library/",
					    name.repository, name.tag[0] ? name.tag : "latest") < 0)
			r = err_oom(err);
		if (r < 0)
			return err_wrap(err, r, "name in the archive");
		strv_add_take(ret, take_ptr(&text));
	}
	return strv_ok(ret) ? 0 : err_oom(err);
}

static int pull_one_of(const struct pull *pull, const char *path, const struct archive_list *list,
		       size_t i, struct error *err)
{
	cleanup_work struct work work = WORK_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	const struct archive_image *image = &list->images[i];
	cleanup_free char *reference = NULL;
	struct digest manifest = DIGEST_INIT;
	int n;
	int r;

	r = full_names(list, &image->names, &names, err);
	if (r < 0)
		return r;
	if (list->kind == ARCHIVE_DOCKER)
		n = asprintf(&reference, "docker-archive:%s:@%zu", path, i);
	else if (image->names.n > 0 && list->n > 1)
		n = asprintf(&reference, "oci-archive:%s:%s", path, image->names.items[0]);
	else
		n = asprintf(&reference, "oci-archive:%s", path);
	if (n < 0) {
		reference = NULL;
		return err_oom(err);
	}
	r = work_begin(pull->store, &work, err);
	if (r == 0)
		r = skopeo_copy(&work, reference,
				list->kind == ARCHIVE_DOCKER ? SKOPEO_FOLDER : SKOPEO_OCI,
				pull->options, &manifest, err);
	return r < 0 ? r : add_copied(pull, &work, &manifest, &names, NULL, err);
}

/*
 * skopeo 1.9 stumbles over compressed archives: it gets a plain one. *path
 * becomes the plain one's.
 */
static int decompress(struct store *store, struct work *spool, char **path, struct error *err)
{
	cleanup_tar_stream struct tar_stream *stream = NULL;
	cleanup_fd int from = -EBADF;
	cleanup_fd int to = -EBADF;
	const void *data;
	char *plain;
	size_t len;
	int r;

	r = work_begin(store, spool, err);
	if (r < 0)
		return r;
	from = open(*path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (from < 0)
		return err_sys(err, "open '%s'", *path);
	to = openat(spool->fd, "archive.tar", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, "create 'archive.tar'");
	r = tar_stream_open(from, TAR_ANY, &stream, err);
	while (r >= 0 && (r = tar_stream_bytes(stream, &data, &len, err)) > 0) {
		r = fd_write_all(to, data, len);
		if (r < 0)
			return err_set(err, r, "decompress '%s': %s", *path, strerror(-r));
	}
	if (r < 0)
		return err_wrap(err, r, "decompress '%s'", *path);
	if (asprintf(&plain, "%s/archive.tar", spool->path) < 0)
		return err_oom(err);
	free(*path);
	*path = plain;
	return 0;
}

/* 1: the image has that name, in whatever spelling. */
static int has_name(const struct archive_list *list, const struct archive_image *image,
		    const char *wanted, struct error *err)
{
	cleanup_strv struct strv typed = STRV_INIT;
	cleanup_strv struct strv full = STRV_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	int r;

	strv_add(&typed, wanted);
	r = strv_ok(&typed) ? full_names(list, &typed, &full, err) : err_oom(err);
	if (r == 0)
		r = full_names(list, &image->names, &names, err);
	return r < 0 ? r : full.n > 0 && strv_contains(&names, full.items[0]);
}

static int pull_listed(const struct pull *pull, const char *path, const struct archive_list *list,
		       const char *wanted, struct error *err)
{
	size_t done = 0;

	for (size_t i = 0; i < list->n; i++) {
		int r = wanted ? has_name(list, &list->images[i], wanted, err) : 1;

		if (r > 0) {
			r = pull_one_of(pull, path, list, i, err);
			done++;
		}
		if (r < 0)
			return r;
	}
	if (done == 0)
		return err_set(err, -ENOENT, "'%s' has no image '%s'", path, wanted);
	return 0;
}

/* FILE[:NAME]: all images of the archive, or the one that has the name. */
static int pull_archive(const struct pull *pull, const char *source, struct error *err)
{
	cleanup_archive_list struct archive_list list = ARCHIVE_LIST_INIT;
	cleanup_work struct work spool = WORK_INIT;
	cleanup_free char *wanted = NULL;
	cleanup_free char *path = NULL;
	char *colon;
	int r;

	r = absolute(source, &path, err);
	if (r < 0)
		return r;
	colon = access(path, F_OK) == 0 ? NULL : strchr(path, ':');
	if (colon) {
		*colon = '\0';
		wanted = strdup(colon + 1);
		if (!wanted)
			return err_oom(err);
	}
	if (strchr(path, ':'))
		return err_set(err, -EINVAL, "'%s': a path with a colon can't be handed to skopeo",
			       path);
	r = archive_list_read(path, &list, err);
	if (r == 0 && list.compressed)
		r = decompress(pull->store, &spool, &path, err);
	return r < 0 ? r : pull_listed(pull, path, &list, wanted, err);
}

/* A reference that skopeo understands, with its path made absolute. */
static int pull_reference(const struct pull *pull, const char *transport, const char *rest,
			  struct error *err)
{
	cleanup_work struct work work = WORK_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *reference = NULL;
	cleanup_free char *path = NULL;
	const char *tag = strchr(rest, ':');
	struct digest manifest = DIGEST_INIT;
	char *name = NULL;
	int r;

	r = absolute(rest, &path, err);
	if (r == 0 && asprintf(&reference, "%s%s", transport, path) < 0) {
		reference = NULL;
		r = err_oom(err);
	}
	/* "oci:DIR:NAME" names it; anything else has none to give */
	if (r == 0 && tag && tag[1] && strcmp(transport, "dir:") != 0) {
		r = name_make_local(tag + 1, &name, err);
		strv_add_take(&names, name);
	}
	if (r == 0)
		r = strv_ok(&names) ? work_begin(pull->store, &work, err) : err_oom(err);
	if (r == 0)
		r = skopeo_copy(&work, reference, SKOPEO_FOLDER, pull->options, &manifest, err);
	return r < 0 ? r : add_copied(pull, &work, &manifest, &names, NULL, err);
}

static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static int pull_source(const struct pull *pull, const char *source, struct error *err)
{
	static const char *const refused[] = { "containers-storage:", "docker-daemon:", "sif:",
					       "ostree:", "tarball:" };
	const char *rest;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (after(source, refused[i]))
			return err_set(err, -EOPNOTSUPP,
				       "transport \"%.*s\" is not supported: docker://, "
				       "docker-archive:, oci-archive:, oci: and dir: are",
				       (int)strlen(refused[i]) - 1, source);
	rest = after(source, "docker://");
	if (rest)
		return pull_registry(pull, rest, err);
	rest = after(source, "docker-archive:");
	rest = rest ? rest : after(source, "oci-archive:");
	if (rest)
		return pull_archive(pull, rest, err);
	rest = after(source, "oci:");
	if (rest)
		return pull_reference(pull, "oci:", rest, err);
	rest = after(source, "dir:");
	if (rest)
		return pull_reference(pull, "dir:", rest, err);
	return pull_registry(pull, source, err);
}

int image_pull(struct store *store, const char *source, const struct pull_options *options,
	       struct strv *ret_ids, struct error *err)
{
	const struct pull pull = { .store = store, .options = options, .ids = ret_ids };

	return pull_source(&pull, source, err);
}

int image_load(struct store *store, const char *file, const struct pull_options *options,
	       struct strv *ret_names, struct error *err)
{
	cleanup_strv struct strv ids = STRV_INIT;
	const struct pull pull = {
		.store = store, .options = options, .ids = &ids, .names = ret_names
	};
	size_t before = ret_names->n;
	int r;

	r = pull_archive(&pull, file, err);
	if (r < 0)
		return r;
	for (size_t i = 0; ret_names->n == before && i < ids.n; i++)
		strv_addf(ret_names, DIGEST_PREFIX "%s", ids.items[i]);
	return strv_ok(ret_names) ? 0 : err_oom(err);
}
