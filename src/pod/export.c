#include "pod/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "pod/config.h"
#include "pod/container.h"
#include "pod/pod.h"
#include "store/archive-writer.h"
#include "store/folder-tar.h"
#include "store/overlay.h"

struct export
{
	const struct export_options *options; /* borrowed */
	struct archive_writer *writer;
	char *temp;    /* its name until it is complete; NULL for standard output */
	bool nameless; /* it does not even have that yet */
	int fd;
	int userdata;
};

static int parse_compress(const char *word, enum archive_compression *ret)
{
	static const struct {
		const char *word;
		enum archive_compression compression;
	} known[] = { { "zstd", ARCHIVE_ZSTD },
		      { "gzip", ARCHIVE_GZIP },
		      { "none", ARCHIVE_PLAIN } };

	*ret = ARCHIVE_ZSTD;
	for (size_t i = 0; word && i < ARRAY_SIZE(known); i++) {
		*ret = known[i].compression;
		if (strcasecmp(word, known[i].word) == 0)
			return 0;
	}
	return word ? -EINVAL : 0;
}

int export_check_compress(const char *word, struct error *err)
{
	enum archive_compression compression;

	if (parse_compress(word, &compression) == 0)
		return 0;
	return err_set(err, -EINVAL,
		       "selected compression algorithm (\"%s\") not supported. Please select one "
		       "from: gzip, none, zstd",
		       word);
}

/* --- the file ------------------------------------------------------------------ */

void export_free(struct export *x)
{
	if (!x)
		return;
	archive_writer_free(x->writer);
	if (x->temp && !x->nameless)
		(void)unlink(x->temp); /* after a finish it has its own name already */
	if (x->fd != STDOUT_FILENO)
		cleanup_fd_p(&x->fd);
	cleanup_fd_p(&x->userdata);
	free(x->temp);
	free(x);
}

/* A file without a name goes when we do. Not every file system has that: there a named one does. */
static int open_nameless(const char *file)
{
	cleanup_free char *folder = strdup(file);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (slash)
		slash[slash == folder] = '\0';
	return open(slash ? folder : ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
}

static int open_file(struct export *x, struct error *err)
{
	if (strcmp(x->options->file, "-") == 0) {
		x->fd = STDOUT_FILENO;
		return isatty(x->fd)
			       ? err_set(err, -EINVAL,
					 "--export -: an archive is not written to a terminal")
			       : 0;
	}
	if (asprintf(&x->temp, "%s.%d.tmp", x->options->file, getpid()) < 0) {
		x->temp = NULL;
		return err_oom(err);
	}
	x->fd = open_nameless(x->options->file);
	x->nameless = x->fd >= 0;
	if (!x->nameless)
		x->fd = open(x->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return x->fd < 0 ? err_sys(err, "create the archive '%s'", x->options->file) : 0;
}

int export_open(const struct export_options *o, const struct container *c,
		struct export **ret_export, struct error *err)
{
	cleanup_export struct export *x = calloc(1, sizeof(*x));
	enum archive_compression compression;
	int r;

	if (!x)
		return err_oom(err);
	x->options = o;
	x->fd = -EBADF;
	x->userdata = -EBADF;
	r = json_array_size(json_object_get(c->config, "Dependencies"))
		    ? err_set(err, -EINVAL,
			      "cannot export checkpoints of containers with dependencies")
		    : export_check_compress(o->compress, err);
	if (r == 0)
		r = open_file(x, err);
	if (r == 0)
		r = parse_compress(o->compress, &compression);
	if (r == 0)
		r = archive_writer_open(x->fd, compression, &x->writer, err);
	if (r < 0)
		return err_wrap(err, r, "export");
	*ret_export = take_ptr(&x);
	return 0;
}

/* --- members --------------------------------------------------------------------- */

static int put_json(struct export *x, const char *name, const json_t *json, struct error *err)
{
	cleanup_free char *text = NULL;
	int r = json_format(json, 2, &text, err);

	return r < 0 ? r : archive_writer_bytes(x->writer, name, text, strlen(text), err);
}

/* The record as others know it, without what only means something on this host. */
static int put_config(struct export *x, const struct container *c, struct error *err)
{
	cleanup_json json_t *config = json_deep_copy(c->config);

	if (!config || json_object_set_new(config, "name", json_string(c->name)) < 0)
		return err_oom(err);
	(void)json_object_del(config, "layers"); /* need not be there */
	return put_json(x, "config.dump", config, err);
}

static int put_tar(struct export *x, const char *name, const char *folder,
		   enum folder_tar_kind kind, uint64_t size, struct error *err)
{
	struct tar_sink sink;
	int r = archive_writer_begin(x->writer, name, size, &sink, err);

	if (r == 0)
		r = folder_tar_write(folder, kind, &sink, err);
	return r < 0 ? r : archive_writer_end(x->writer, err);
}

static int note_deleted(void *arg, enum overlay_change change, const char *path, struct error *err)
{
	if (change == OVERLAY_DELETED && json_array_append_new(arg, json_string(path)) < 0)
		return err_oom(err);
	return 0;
}

static int put_root(struct export *x, const struct pod *pod, const struct container *c,
		    struct error *err)
{
	cleanup_json json_t *deleted = json_array();
	cleanup_strv struct strv layers = STRV_INIT;
	cleanup_free char *upper = NULL;
	cleanup_free char *dir = NULL;
	uint64_t size = 0;
	uint64_t entries = 0;
	int r = deleted ? config_strings(c->config, "layers", &layers, err) : err_oom(err);

	if (r == 0)
		r = pod_path(pod, c->id, "", &dir, err);
	if (r == 0)
		r = pod_path(pod, c->id, "upper", &upper, err);
	if (r == 0)
		r = folder_tar_measure(upper, FOLDER_TAR_UPPER, &size, &entries, err);
	if (r == 0 && entries > 0)
		r = put_tar(x, "rootfs-diff.tar", upper, FOLDER_TAR_UPPER, size, err);
	if (r == 0)
		r = overlay_diff(dir, &layers, note_deleted, deleted, err);
	if (r == 0 && json_array_size(deleted) > 0)
		r = put_json(x, "deleted.files", deleted, err);
	return r < 0 ? err_wrap(err, r, "the root of '%s'", c->name) : 0;
}

static int put_volume(struct export *x, const struct pod *pod, const char *volume,
		      struct error *err)
{
	cleanup_free char *member = NULL;
	cleanup_free char *folder = NULL;
	uint64_t size = 0;
	uint64_t entries = 0;
	int r;

	if (asprintf(&member, "volumes/%s.tar", volume) < 0) {
		member = NULL;
		return err_oom(err);
	}
	if (asprintf(&folder, "%s/volumes/%s/_data", pod->root, volume) < 0) {
		folder = NULL;
		return err_oom(err);
	}
	r = folder_tar_measure(folder, FOLDER_TAR_WHOLE, &size, &entries, err);
	if (r == 0)
		r = put_tar(x, member, folder, FOLDER_TAR_WHOLE, size, err);
	return r < 0 ? err_wrap(err, r, "volume '%s'", volume) : 0;
}

static int put_volumes(struct export *x, const struct pod *pod, const struct container *c,
		       struct error *err)
{
	const json_t *volume;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(c->config, "namedVolumes"), i, volume)
	{
		const char *name = json_string_value(json_object_get(volume, "volumeName"));

		r = name ? put_volume(x, pod, name, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* One that need not be there. */
static int put_file(struct export *x, const char *name, struct error *err)
{
	int r = archive_writer_file(x->writer, name, x->userdata, name, err);

	if (r != -ENOENT)
		return r;
	if (err)
		*err = (struct error)ERROR_INIT;
	return 0;
}

static int put_images(struct export *x, struct error *err)
{
	cleanup_fd int images =
		openat(x->userdata, "checkpoint", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (images < 0)
		return err_sys(err, "open the images");
	return archive_writer_tree(x->writer, "checkpoint", images, err);
}

static int open_userdata(struct export *x, const struct pod *pod, const struct container *c,
			 struct error *err)
{
	cleanup_free char *path = NULL;
	int r = pod_path(pod, c->id, "userdata", &path, err);

	if (r < 0)
		return r;
	x->userdata = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return x->userdata < 0 ? err_sys(err, "open folder '%s'", path) : 0;
}

int export_write(struct export *x, const struct pod *pod, const struct container *c,
		 struct error *err)
{
	int r = open_userdata(x, pod, c, err);

	if (r == 0)
		r = archive_writer_folder(x->writer, "artifacts", err);
	if (r == 0)
		r = put_config(x, c, err);
	if (r == 0)
		r = archive_writer_file(x->writer, "spec.dump", x->userdata, "config.json", err);
	if (r == 0)
		r = archive_writer_bytes(x->writer, "network.status", "null", 4, err);
	if (r == 0)
		r = put_file(x, "ctr.log", err);
	if (r == 0)
		r = put_images(x, err);
	if (r == 0 && !x->options->ignore_rootfs)
		r = put_root(x, pod, c, err);
	if (r == 0 && !x->options->ignore_volumes)
		r = put_volumes(x, pod, c, err);
	if (r == 0)
		r = put_file(x, "stats-dump", err);
	if (r == 0)
		r = archive_writer_finish(x->writer, err);
	return r < 0 ? err_wrap(err, r, "export '%s'", x->options->file) : 0;
}

int export_finish(struct export *x, struct error *err)
{
	char path[64];

	if (!x->temp)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", x->fd);
	if (x->nameless && linkat(AT_FDCWD, path, AT_FDCWD, x->temp, AT_SYMLINK_FOLLOW) < 0)
		return err_sys(err, "export '%s': give it its name", x->options->file);
	x->nameless = false;
	if (rename(x->temp, x->options->file) < 0)
		return err_sys(err, "export '%s': give it its name", x->options->file);
	return 0;
}
