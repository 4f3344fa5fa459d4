#include "pod/import.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lock.h"
#include "pod/config.h"
#include "pod/create.h"
#include "pod/db.h"
#include "pod/find-image.h"
#include "pod/held.h"
#include "pod/import-mark.h"
#include "pod/import-members.h"
#include "pod/lifecycle.h"
#include "pod/pod.h"
#include "store/archive-reader.h"
#include "store/image.h"

#define JSON_MAX ((size_t)16 << 20)

struct import {
	struct pod *pod;
	const struct import_options *o;
	int fd; /* the archive, at any position */
	json_t *config;
	json_t *spec;
	struct image *image;
	struct lock hold; /* on the store: the image stays until the container is known */
	struct lock lock; /* the container's */
	struct container c;
	char *folder;
	bool has_folder;
	struct import_members members;
};

static void import_done(struct import *im)
{
	cleanup_fd_p(&im->fd);
	json_decref(im->config);
	json_decref(im->spec);
	image_free(im->image);
	lock_release(&im->hold);
	lock_release(&im->lock);
	container_done(&im->c);
	import_members_done(&im->members);
	free(im->folder);
}

/* --- the archive ------------------------------------------------------------------ */

/* What comes through a pipe is needed twice. */
static int spool(const struct import *im, int *ret_fd, struct error *err)
{
	cleanup_free char *buffer = malloc(1 << 20);
	cleanup_fd int fd = open(im->pod->root, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (!buffer)
		return err_oom(err);
	if (fd < 0)
		return err_sys(err, "make a temporary file in '%s'", im->pod->root);
	for (;;) {
		ssize_t n = read(STDIN_FILENO, buffer, 1 << 20);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read standard input");
		if (n == 0)
			break;
		r = fd_write_all(fd, buffer, (size_t)n);
		if (r < 0)
			return err_set(err, r, "keep the archive in '%s': %s", im->pod->root,
				       strerror(-r));
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

static int open_archive(struct import *im, struct error *err)
{
	if (strcmp(im->o->file, "-") == 0)
		return spool(im, &im->fd, err);
	im->fd = open(im->o->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return im->fd < 0 ? err_sys(err, "failed to open checkpoint archive %s for import",
				    im->o->file)
			  : 0;
}

static int take_json(struct archive_reader *archive, const char *name, json_t **ret,
		     struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	if (*ret)
		return err_set(err, -EBADMSG, "member '%s' is there twice", name);
	r = archive_reader_slurp(archive, JSON_MAX, &text, &len, err);
	if (r == 0)
		r = json_parse(name, text, len, ret, err);
	if (r == 0 && !json_is_object(*ret))
		r = err_set(err, -EBADMSG, "member '%s' is no JSON object", name);
	return r;
}

/* They come near the beginning; the rest is not read for them. */
static int read_metadata(struct import *im, struct error *err)
{
	cleanup_archive_reader struct archive_reader *archive = NULL;
	struct archive_member member;
	int r;

	if (lseek(im->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read the archive from its beginning");
	r = archive_reader_open(im->fd, &archive, err);
	while (r >= 0 && !(im->config && im->spec)) {
		r = archive_reader_next(archive, &member, err);
		if (r <= 0)
			break;
		if (strcmp(member.name, "config.dump") == 0)
			r = take_json(archive, member.name, &im->config, err);
		else if (strcmp(member.name, "spec.dump") == 0)
			r = take_json(archive, member.name, &im->spec, err);
	}
	if (r < 0)
		return r;
	if (!im->config || !im->spec)
		return err_set(err, -EBADMSG, "it has no %s: it is not a checkpoint",
			       im->config ? "spec.dump" : "config.dump");
	return 0;
}

/* --- what it says ------------------------------------------------------------------- */

static bool is_id(const char *id)
{
	size_t n = 0;

	while (id && (isdigit((unsigned char)id[n]) || (id[n] >= 'a' && id[n] <= 'f')))
		n++;
	return id && n == ID_LEN && !id[n];
}

static int check_config(const struct import *im, struct error *err)
{
	const char *id = json_string_value(json_object_get(im->config, "id"));
	const char *name = json_string_value(json_object_get(im->config, "name"));
	const char *pod = json_string_value(json_object_get(im->config, "pod"));

	if (!is_id(id))
		return err_set(err, -EBADMSG, "config.dump: '%.80s' is no container id",
			       id ? id : "");
	if (!name)
		return err_set(err, -EBADMSG, "config.dump: it has no name");
	if (name_check(name, NULL) < 0)
		return err_set(err, -EBADMSG, "config.dump: '%.80s' is no name", name);
	if (!json_is_object(json_object_get(im->config, "spec")))
		return err_set(err, -EBADMSG, "config.dump: it has no spec");
	if (pod && *pod)
		return err_set(err, -EOPNOTSUPP, "cannot restore pod container without --pod");
	if (json_array_size(json_object_get(im->config, "Dependencies")) > 0)
		return err_set(err, -EINVAL,
			       "cannot import checkpoints of containers with dependencies");
	return im->o->name ? name_check(im->o->name, err) : 0;
}

/* By id if it is here: a name may have been given to another image since. */
static int find_its_image(struct import *im, struct error *err)
{
	const char *id = json_string_value(json_object_get(im->config, "rootfsImageID"));
	const char *name = json_string_value(json_object_get(im->config, "rootfsImageName"));
	struct store *store = NULL;
	int r = pod_store(im->pod, &store, err);

	if (r < 0)
		return r;
	if (id && find_image(store, id, "never", &im->hold, &im->image, NULL) == 0)
		return 0;
	if (!name || !*name)
		return err_set(err, -ENOENT,
			       "its image %.12s is not here, and has no name to pull it by",
			       id ? id : "");
	r = find_image(store, name, "missing", &im->hold, &im->image, err);
	if (r == 0 && id && strcmp(im->image->id, id) != 0) {
		r = err_set(err, -ESTALE,
			    "image '%s' is now %.12s, the container was made from %.12s", name,
			    im->image->id, id);
		err_hint(err, "load or pull the image it had, by its digest");
	}
	return r;
}

/* --- the container --------------------------------------------------------------------- */

static uint64_t parse_time(const char *text)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	uint64_t ns = 0;

	if (!rest)
		return clock_real_ns();
	if (*rest == '.')
		ns = (uint64_t)(strtod(rest, NULL) * 1e9);
	return (uint64_t)timegm(&tm) * NS_PER_SEC + ns;
}

static int name_container(struct import *im, struct error *err)
{
	const json_t *config = im->config;
	const char *name = json_string_value(json_object_get(config, "name"));
	char found[ID_LEN + 1];
	int r = 0;

	if (im->o->name)
		r = id_generate(im->c.id, err);
	else
		memcpy(im->c.id, json_string_value(json_object_get(config, "id")), ID_LEN + 1);
	if (r == 0)
		r = state_set_string(&im->c.name, im->o->name ? im->o->name : name, err);
	if (r < 0)
		return r;
	if (db_find(im->pod->db, im->c.id, found, NULL) == 0)
		return err_set(err, -EEXIST,
			       "creating container storage: that ID is already in use");
	if (db_find(im->pod->db, im->c.name, found, NULL) == 0 && strcmp(found, im->c.id) != 0)
		return err_set(err, -EEXIST,
			       "creating container storage: the container name \"%s\" is already "
			       "in use by %s. You have to remove that container to be able to "
			       "reuse that name: that name is already in use",
			       im->c.name, found);
	im->c.created_ns =
		im->o->name ? clock_real_ns()
			    : parse_time(json_string_value(json_object_get(config, "createdTime")));
	return 0;
}

/* What is this host's own. */
static int adapt_config(struct import *im, struct error *err)
{
	cleanup_free char *log = NULL;
	json_t *config = im->config;
	int r = pod_path(im->pod, im->c.id, "userdata/ctr.log", &log, err);

	if (r < 0)
		return r;
	if (json_object_set_new(config, "id", json_string(im->c.id)) < 0 ||
	    json_object_set_new(config, "name", json_string(im->c.name)) < 0 ||
	    json_object_set_new(config, "logPath", json_string(log)) < 0 ||
	    json_object_set_new(config, "layers", config_array(&im->image->layers)) < 0)
		return err_oom(err);
	im->c.config = json_incref(config);
	return 0;
}

static int make_folder(struct import *im, struct error *err)
{
	cleanup_free char *userdata = NULL;
	cleanup_fd int fd = -EBADF;
	int r = pod_path(im->pod, im->c.id, "", &im->folder, err);

	if (r == 0)
		r = pod_path(im->pod, im->c.id, "userdata", &userdata, err);
	if (r == 0 && access(im->folder, F_OK) == 0)
		r = err_set(err, -EEXIST, "folder '%s' is there already, and nobody's", im->folder);
	if (r < 0)
		return r;
	im->has_folder = true;
	r = file_make_dirs_at(AT_FDCWD, userdata, 0700, err);
	if (r < 0)
		return r;
	fd = open(im->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", im->folder);
	r = lock_take(fd, "lock", LOCK_MODE_EXCLUSIVE, &im->lock, err);
	return r < 0 ? r : import_mark(fd, err);
}

static int unpack(struct import *im, struct error *err)
{
	cleanup_archive_reader struct archive_reader *archive = NULL;
	int r;

	if (lseek(im->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read the archive once more");
	r = archive_reader_open(im->fd, &archive, err);
	return r < 0 ? r : import_members_take(&im->members, archive, err);
}

static int remember(struct import *im, struct error *err)
{
	struct container_state *s = &im->c.state;
	cleanup_free char *images = NULL;
	int r = pod_path(im->pod, im->c.id, "userdata/checkpoint", &images, err);

	s->status = STATUS_EXITED;
	s->started_ns = im->c.created_ns;
	s->finished_ns = clock_real_ns();
	s->checkpointed = true;
	s->checkpointed_ns = s->finished_ns;
	if (r == 0)
		r = state_set_string(&s->checkpoint_path, images, err);
	if (r == 0)
		r = state_set_string(&s->boot_id, im->pod->boot_id, err);
	return r < 0 ? r : db_insert(im->pod->db, &im->c, err);
}

static int make(struct import *im, struct error *err)
{
	int r = make_folder(im, err);

	if (r == 0)
		r = import_members_begin(&im->members, im->pod, &im->c, im->o, err);
	if (r == 0)
		r = unpack(im, err);
	if (r == 0)
		r = import_members_settle(&im->members, err);
	if (r == 0)
		r = remember(im, err);
	if (r < 0 && im->has_folder) {
		import_members_undo(&im->members);
		(void)file_remove_tree_at(AT_FDCWD, im->folder, NULL); /* the failure is told */
		return r;
	}
	if (r == 0)
		(void)import_unmark(im->folder); /* it has its record: the mark means nothing now */
	return r;
}

int checkpoint_import(struct pod *pod, const struct import_options *o, char *ret_id,
		      struct error *err)
{
	__attribute__((cleanup(import_done))) struct import im = {
		.pod = pod,
		.o = o,
		.fd = -EBADF,
		.hold = LOCK_INIT,
		.lock = LOCK_INIT,
		.c = CONTAINER_INIT,
		.members = IMPORT_MEMBERS_INIT,
	};
	int r = open_archive(&im, err);

	if (r < 0)
		return r;
	import_sweep(pod);
	r = read_metadata(&im, err);
	if (r == 0)
		r = check_config(&im, err);
	if (r == 0)
		r = find_its_image(&im, err);
	if (r == 0)
		r = name_container(&im, err);
	if (r == 0)
		r = adapt_config(&im, err);
	if (r == 0)
		r = make(&im, err);
	if (r < 0)
		return err_wrap(err, r, "checkpoint archive %s", o->file);
	memcpy(ret_id, im.c.id, ID_LEN + 1);
	return 0;
}

void checkpoint_import_undo(struct pod *pod, const char *id, const struct import_options *o)
{
	cleanup_held struct held held = HELD_INIT;

	if (held_take(pod, id, &held, NULL) < 0)
		return;
	if (!o->ignore_volumes)
		import_members_remove(pod, &held.c);
	(void)lifecycle_remove(pod, &held, true, 0, NULL);
}
